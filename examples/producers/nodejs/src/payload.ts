// What a scoring service copies: the payload event, and a producer that knows what was delivered.
import { readFileSync } from 'node:fs'

import { compatibilityPartitioner, Producer, stringSerializer } from '@platformatic/kafka'
import avro from 'avsc'

// A number of JavaScript is a double; an integer is a BigInt, or it would be wrong beyond 2^53.
export type Cell = null | boolean | bigint | number | string | Cell[]
export interface Grid { fields?: string[], values: Cell[][], meta?: Grid }

export interface Event {
  binding?: string | null
  asset: string // the subscription's asset id or asset name, or the subscription's own id
  scoring_id: string
  scored_at: bigint | null // microseconds from 1970, UTC
  response_time_ms: bigint | null
  request: object
  response: object
  attributes: Record<string, string>
}

const CONFLUENT_ID_1 = Buffer.from([0, 0, 0, 0, 1]) // schema id 1, as in schemas/index.json
const BATCH = 500
const LINGER_MS = 5

// avsc reads and writes longs as numbers, unless it is told otherwise.
const longs = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint) => { const bytes = Buffer.alloc(8); bytes.writeBigInt64LE(value); return bytes },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (one: bigint, other: bigint) => one === other ? 0 : one < other ? -1 : 1
})

const isLong = (type: unknown): boolean => type === 'long' || (type as { type?: unknown }).type === 'long'

// A native request or response, exactly as the service holds it.
export function body (json: string): object {
  return { 'openscale.payload.Body': { content_type: 'application/json', data: Buffer.from(json) } }
}

// Rows that the service has made itself.
export function table ({ fields = [], values, meta }: Grid): object {
  const beside = meta && { 'openscale.payload.Meta': { fields: meta.fields, values: meta.values.map(row => row.map(cell)) } }
  return { 'openscale.payload.Table': { fields, values: values.map(row => row.map(cell)), meta: beside ?? null } }
}

// A cell names its branch of the union, so that 41 is a double and 41n a long.
function cell (value: Cell): unknown {
  if (Array.isArray(value)) return { array: value.map(cell) }
  switch (typeof value) {
    case 'boolean': return { boolean: value }
    case 'bigint': return { long: value }
    case 'number': return { double: value }
    case 'string': return { string: value }
    default: return null
  }
}

export class PayloadProducer {
  // what is not acknowledged, and why not, by scoring id
  readonly open = new Map<string, string>()
  readonly #type: avro.Type
  #producer: Producer<string, Buffer, string, string>
  #timer: NodeJS.Timeout | undefined
  #waiting: Array<{ topic: string, key: string, value: Buffer }> = []
  #last: Promise<void> = Promise.resolve()

  // Reads the schema's file; reaches for the broker only when something is sent.
  constructor (readonly bootstrap: string, readonly topic: string, schemaFile: string) {
    const schema = JSON.parse(readFileSync(schemaFile, 'utf8'))
    const typeHook = (type: unknown) => isLong(type) ? longs : undefined
    this.#type = avro.Type.forSchema(schema, { typeHook, wrapUnions: true })
    this.#producer = this.#connect()
  }

  #connect (): Producer<string, Buffer, string, string> {
    return new Producer({
      clientId: 'payload-producer',
      bootstrapBrokers: this.bootstrap.split(','),
      idempotent: true, // retried without duplicates, and acks=all with it
      retries: 10,
      partitioner: compatibilityPartitioner, // murmur2 as Java has it: a key's partition is the same from every language
      serializers: { key: stringSerializer, value: bytes => bytes }
    })
  }

  // Hands an event over; it is sent with those of the next milliseconds, and a full batch is awaited.
  async send (event: Event): Promise<void> {
    const nullable = (branch: string, value: unknown) => value == null ? null : { [branch]: value }
    const value = this.#type.toBuffer({
      ...event,
      binding: nullable('string', event.binding),
      deployment: null,
      scoring_id: nullable('string', event.scoring_id),
      scored_at: nullable('long', event.scored_at),
      response_time_ms: nullable('long', event.response_time_ms)
    })
    this.open.set(event.scoring_id, 'never answered')
    this.#waiting.push({ topic: this.topic, key: event.scoring_id, value: Buffer.concat([CONFLUENT_ID_1, value]) })
    if (this.#waiting.length >= BATCH) await this.flush()
    else this.#timer ??= setTimeout(() => { void this.flush() }, LINGER_MS)
  }

  // Waits until what was handed over is acknowledged or given up. One batch after another, never two at once: this
  // client gives both the same sequence number, the broker takes the second for a repetition, and it is lost, acknowledged.
  async flush (): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const messages = this.#waiting
    this.#waiting = []
    this.#last = this.#last.then(async () => await this.#deliver(messages))
    await this.#last
  }

  async #deliver (messages: Array<{ topic: string, key: string, value: Buffer }>): Promise<void> {
    if (messages.length === 0) return
    try {
      await this.#producer.send({ messages })
      for (const { key } of messages) this.open.delete(key)
    } catch (error) {
      for (const { key } of messages) this.open.set(key, reasons(error))
      // it may have been written all the same: the next batch must not go out by its sequence number
      const broken = this.#producer
      this.#producer = this.#connect()
      await broken.close().catch(() => {})
    }
  }

  async close (): Promise<void> {
    await this.flush()
    await this.#producer.close()
  }
}

// The innermost reasons: the client wraps those of each partition and each attempt.
function reasons (error: unknown): string {
  const { errors, message } = error as { errors?: unknown[], message: string }
  return errors !== undefined && errors.length > 0 ? [...new Set(errors.map(reasons))].join('; ') : message
}
