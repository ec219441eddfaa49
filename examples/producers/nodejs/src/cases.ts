// The test cases: each is sent as tables and as bodies. Of this file a service needs toJson at most.
import { readFileSync } from 'node:fs'

import { parse, stringify } from 'lossless-json'

import { body, table, type Event, type Grid } from './payload.js'

interface Case {
  name: string
  scored_at: bigint | null
  response_time_ms: bigint | null
  attributes: Record<string, string>
  request: Grid
  response: Grid
}

// JSON.parse would round integers beyond 2^53: by how it is written a number becomes a BigInt or a double.
const number = (text: string): bigint | number => /^-?\d+$/.test(text) ? BigInt(text) : Number(text)

// JSON.stringify takes no BigInt, writes -0 as 0 and 41.0 as 41, which is another type to a data mart.
export function toJson (value: unknown): string {
  const double = (value: number) =>
    Object.is(value, -0) ? '-0.0' : /^-?\d+$/.test(String(value)) ? `${value}.0` : String(value)
  const isDouble = (value: unknown) => typeof value === 'number'
  return stringify(value, null, undefined, [{ test: isDouble, stringify: value => double(value as number) }]) ?? ''
}

export function * readCases (file: string, asset: string, binding: string | null): Generator<Event> {
  for (const each of parse(readFileSync(file, 'utf8'), null, number) as Case[]) {
    for (const [kind, make] of [['table', table], ['body', (side: Grid) => body(toJson(side))]] as const) {
      yield {
        binding,
        asset,
        scoring_id: `nodejs-${kind}-${each.name}`,
        scored_at: each.scored_at,
        response_time_ms: each.response_time_ms,
        request: make(each.request),
        response: make(each.response),
        attributes: each.attributes
      }
    }
  }
}
