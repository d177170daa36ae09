import { z } from 'zod'
import type { JsonObject } from '../../protocols/canonical-json/v1/json.ts'
import { PROJECTION_NAMES, rowSchemas } from './rows.ts'
import type { ProjectionName, RowOf } from './rows.ts'

// What is checked here came out of JSON.parse, which makes nothing else than JSON values.
const jsonObject = z.looseObject({}) as unknown as z.ZodType<JsonObject>

const place = {
  version: z.int().describe('Grows with each change of the rows’ form.'),
  epoch: z.string().describe('Of the log: a restored node has another one, and its cursors with it.'),
  logSeq: z.int().describe('The position of the log at which the rows are true.')
}
const nextCursor = z
  .string()
  .nullable()
  .describe('The cursor of the next page. Go on while there is one, also from a page without rows.')

/**
 * `GET /v1/projections/{name}`. A page ends early, perhaps without any row, when it has passed over many that the
 * filter keeps out: whoever wants all rows goes on until `nextCursor` is null, whatever the length of a page.
 */
export interface PageOf<Row> {
  readonly projection: string
  readonly version: number
  readonly epoch: string
  readonly logSeq: number
  readonly rows: readonly Row[]
  readonly nextCursor: string | null
}

/** A page of a projection that this release may not know. */
export const anyPage: z.ZodType<PageOf<JsonObject>> = z.object({
  projection: z.string(),
  ...place,
  rows: z.array(jsonObject).readonly(),
  nextCursor
})

/** A page of one projection, with its rows' columns. Columns that this release does not know are left out. */
export function page<Name extends ProjectionName>(name: Name): z.ZodType<PageOf<RowOf<Name>>> {
  // The compiler can't see that the schema under a name is that of its rows.
  return pages.get(name) as z.ZodType as z.ZodType<PageOf<RowOf<Name>>>
}

const pages: ReadonlyMap<ProjectionName, z.ZodType<PageOf<unknown>>> = new Map(
  PROJECTION_NAMES.map((name) => {
    const rows = z.array(rowSchemas[name] as z.ZodType).readonly()
    const schema = z.object({ projection: z.literal(name), ...place, rows, nextCursor })
    return [name, schema.meta({ id: `${idOf(name)}Page` })]
  })
)

/** `timestamp-anchors` as `TimestampAnchors`. */
function idOf(name: string): string {
  return name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

/** A page of any projection of this release; `projection` says of which. */
export const projectionPage: z.ZodType<PageOf<unknown>> = z.union([...pages.values()])
