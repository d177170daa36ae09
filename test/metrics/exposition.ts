/** A strict reader of the text format of Prometheus (version 0.0.4). */

export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  /** By the line's name and labels, as they stand there. */
  readonly series: ReadonlyMap<string, { readonly labels: Readonly<Record<string, string>>; readonly value: number }>
}

export type Exposition = ReadonlyMap<string, Family>

/** The value of the one series of a metric (without the prefix) that has these labels; undefined where there is none. */
export function valueOf(
  families: Exposition,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number | undefined {
  for (const { labels: found, value } of families.get(`anchormesh_${name}`)?.series.values() ?? [])
    if (Object.entries(labels).every(([label, wanted]) => found[label] === wanted)) return value
  return undefined
}

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/
const TYPES = new Set(['counter', 'gauge', 'histogram', 'summary'])

/** Throws for whatever the format does not allow, and for a name or series that stands there twice. */
export function readExposition(text: string): Exposition {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, { name: string; help: string; type: string; series: Map<string, never> }>()
  let current: { name: string; help: string; type: string; series: Map<string, unknown> } | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, kind, name = '', rest = ''] = COMMENT.exec(line) ?? []
    if (kind === 'HELP') {
      if (families.has(name)) throw new Error(`${name} stands there twice`)
      current = { name, help: rest, type: '', series: new Map() }
      families.set(name, current as never)
      continue
    }
    if (current === undefined) throw new Error(`no HELP before: ${line}`)
    if (kind === 'TYPE') {
      if (name !== current.name || current.type !== '' || !TYPES.has(rest)) throw new Error(`TYPE: ${line}`)
      current.type = rest
      continue
    }
    const sample = SAMPLE.exec(line)
    if (sample === null) throw new Error(`neither comment nor sample: ${line}`)
    const [, series = '', labels = '', value = ''] = sample
    const suffixes = current.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    if (!suffixes.some((suffix) => series === current?.name + suffix))
      throw new Error(`not of ${current.name}: ${line}`)
    const key = `${series}{${labels}}`
    if (current.series.has(key)) throw new Error(`twice: ${key}`)
    const number = Number(value === '+Inf' ? Infinity : value)
    if (Number.isNaN(number) && value !== 'Nan' && value !== 'NaN') throw new Error(`no number: ${line}`)
    current.series.set(key, { labels: readLabels(labels), value: number })
  }
  return families
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {}
  for (let rest = text; rest !== '';) {
    const [whole = '', name = '', value = ''] = LABEL.exec(rest) ?? []
    if (whole === '' || Object.hasOwn(labels, name)) throw new Error(`labels: ${text}`)
    labels[name] = value.replace(/\\(.)/g, (_all, one: string) => (one === 'n' ? '\n' : one))
    rest = rest.slice(whole.length)
  }
  return labels
}
