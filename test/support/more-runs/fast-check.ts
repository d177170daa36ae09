import fc from 'fast-check'

/**
 * fast-check, but that it tries each property ANCHORMESH_PROPERTY_RUNS times as many cases; `vitest.config.ts` puts it in
 * the place of the real one where that is set. It is the way to look for what a usual run finds only by chance.
 *
 * It has a folder of its own because vite finds a module once for all files of a folder: here it is the real one.
 */
export * from 'fast-check'

export function assert<Case>(property: fc.IAsyncProperty<Case>, parameters?: fc.Parameters<Case>): Promise<void>
export function assert<Case>(property: fc.IProperty<Case>, parameters?: fc.Parameters<Case>): void
export function assert<Case>(property: fc.IRawProperty<Case>, parameters?: fc.Parameters<Case>): void | Promise<void>
export function assert<Case>(
  property: fc.IRawProperty<Case>,
  parameters: fc.Parameters<Case> = {}
): void | Promise<void> {
  // Where a property has a seed of its own, only its usual cases come from that.
  const { seed: _usual, ...fresh } = parameters
  const more = Number(process.env['ANCHORMESH_PROPERTY_RUNS']) - 1
  const first = fc.assert(property, parameters)
  if (first instanceof Promise)
    return first.then(async () => {
      for (let turn = 0; turn < more; turn += 1) await fc.assert(property, fresh)
    })
  for (let turn = 0; turn < more; turn += 1) void fc.assert(property, fresh)
}

export default { ...fc, assert }
