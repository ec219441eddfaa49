// Scores once and sends the event; --cases FILE and --count N send what the tests compare.
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'

import { readCases, toJson } from './cases.js'
import { body, PayloadProducer, type Cell, type Event } from './payload.js'

const text = (value?: string) => ({ type: 'string' as const, ...(value !== undefined && { default: value }) })
const { values: options } = parseArgs({
  options: {
    bootstrap: text('localhost:9092'),
    topic: text('payload-events'),
    asset: text('action'),
    binding: text(),
    schema: text('schemas/payload_event.avsc'),
    cases: text(),
    count: text()
  }
})
const asset = options.asset ?? 'action'

// Stands for the model: one row in, one row out.
function score (age: number): object {
  const probability = (age % 100 + 0.5) / 101
  const row = [probability > 0.5 ? 'yes' : 'no', [1 - probability, probability]]
  return { fields: ['prediction', 'probability'], values: [row] }
}

// Scores a row, and is the event that tells of it.
function scored (id: string, age: number, hours: number): Event {
  const began = performance.now()
  const response = score(age)
  const row: Cell[] = [BigInt(age), hours, 52000n, 'retail']
  return {
    binding: options.binding ?? null,
    asset,
    scoring_id: id,
    scored_at: BigInt(Date.now()) * 1000n,
    response_time_ms: BigInt(Math.trunc(performance.now() - began)),
    request: body(toJson({ fields: ['age', 'hours', 'income', 'sector'], values: [row] })),
    response: body(toJson(response)),
    attributes: { service: 'example' }
  }
}

function * events (): Generator<Event> {
  if (options.cases !== undefined) {
    yield * readCases(options.cases, asset, options.binding ?? null)
  } else if (options.count !== undefined) {
    for (let number = 0; number < Number(options.count); number++) {
      yield scored(`nodejs-${number}`, number, number + 0.1)
    }
  } else {
    yield scored(randomUUID(), 41, 37.5)
  }
}

const producer = new PayloadProducer(options.bootstrap ?? '', options.topic ?? '', options.schema ?? '')
let sent = 0
for (const event of events()) {
  await producer.send(event)
  sent++
}
await producer.close()
for (const [id, reason] of producer.open) console.error(`not delivered: ${id}: ${reason}`)
console.log(`delivered: ${sent - producer.open.size} of ${sent}`)
process.exitCode = producer.open.size === 0 ? 0 : 1
