import fc from 'fast-check'

/**
 * fast-check, but that every run draws the same cases: one that turns red shows what has changed, and not what chance has
 * found this time. ANCHORMESH_PROPERTY_RUNS looks for what they miss: it tries each property so many times over, from the
 * second time on with cases that nobody has seen. `vitest.config.ts` puts this in the place of the real one.
 *
 * It has a folder of its own because vite finds a module once for all files of a folder: here it is the real one.
 */
export * from 'fast-check'

// Any number would do.
const USUAL_SEED = 20_261_122
const runs = Number(process.env['ANCHORMESH_PROPERTY_RUNS'] ?? 1)

export function assert<Case>(property: fc.IAsyncProperty<Case>, parameters?: fc.Parameters<Case>): Promise<void>
export function assert<Case>(property: fc.IProperty<Case>, parameters?: fc.Parameters<Case>): void
export function assert<Case>(property: fc.IRawProperty<Case>, parameters?: fc.Parameters<Case>): void | Promise<void>
export function assert<Case>(
  property: fc.IRawProperty<Case>,
  parameters: fc.Parameters<Case> = {}
): void | Promise<void> {
  const { seed = USUAL_SEED, ...fresh } = parameters
  const first = fc.assert(property, { ...fresh, seed })
  if (first instanceof Promise)
    return first.then(async () => {
      for (let turn = 1; turn < runs; turn += 1) await fc.assert(property, fresh)
    })
  for (let turn = 1; turn < runs; turn += 1) void fc.assert(property, fresh)
}

export default { ...fc, assert }
