import { Session } from 'node:inspector'
import type { Runtime } from 'node:inspector'

/** What stands in a `#field` of an object, or in a variable that a function has closed over. */
export type Inner = readonly [name: string, value: unknown]

/** Where values cross between this program and the inspector. */
interface Crossing {
  given?: unknown
  found?: readonly unknown[]
}

/** The types of Node leave private properties out. */
type Properties = Runtime.GetPropertiesReturnType & {
  readonly privateProperties?: readonly Runtime.PropertyDescriptor[]
}

type Property = Pick<Runtime.PropertyDescriptor, 'name' | 'value'>

const CROSSING = 'anchormeshInside'

/**
 * Sees what the language hides: private fields and closures. For checks alone, which look at the tables of a node
 * without a change to the node. Nothing that is looked at changes, and no time passes.
 */
export class Inside {
  readonly #session = new Session()
  readonly #crossing: Crossing = {}

  constructor() {
    this.#session.connect()
    Object.defineProperty(process, CROSSING, { value: this.#crossing, configurable: true })
  }

  /** What stands in the private fields of each object, and in what each function has closed over. */
  of(values: readonly object[]): readonly (readonly Inner[])[] {
    if (values.length === 0) return []
    const found: Inner[][] = []
    const objects: { readonly in: Inner[]; readonly name: string; readonly objectId: string }[] = []
    try {
      for (const [index, objectId] of this.#idsOf(values).entries()) {
        const inner: Inner[] = []
        found.push(inner)
        const properties = typeof values[index] === 'function' ? this.#closedOver(objectId) : this.#private(objectId)
        for (const { name, value } of properties) {
          if (value?.objectId !== undefined) objects.push({ in: inner, name, objectId: value.objectId })
          else if (value !== undefined) inner.push([name, value.value])
        }
      }
      const handed = this.#handedOver(objects.map(({ objectId }) => objectId))
      for (const [index, { in: inner, name }] of objects.entries()) inner.push([name, handed[index]])
      return found
    } finally {
      this.#post('Runtime.releaseObjectGroup', { objectGroup: CROSSING })
      this.#crossing.given = undefined
      this.#crossing.found = []
    }
  }

  close(): void {
    this.#session.disconnect()
  }

  #private(objectId: string): readonly Property[] {
    return this.#properties(objectId).privateProperties ?? []
  }

  #closedOver(objectId: string): readonly Property[] {
    const { internalProperties = [] } = this.#properties(objectId)
    const scopes = internalProperties.find(({ name }) => name === '[[Scopes]]')?.value?.objectId
    if (scopes === undefined) return []
    return this.#properties(scopes).result.flatMap(({ value }) =>
      // Those of modules and of the whole program belong to no node.
      value?.objectId !== undefined && /^(?:Closure|Block)/.test(value.description ?? '')
        ? this.#properties(value.objectId).result
        : []
    )
  }

  /** All at once: each crossing has V8 compile a line. */
  #idsOf(values: readonly object[]): readonly string[] {
    this.#crossing.given = values
    const { result } = this.#post('Runtime.evaluate', {
      expression: `process.${CROSSING}.given`,
      objectGroup: CROSSING
    }) as Runtime.EvaluateReturnType
    const { result: elements } = this.#properties(result.objectId ?? '')
    const ids = new Map(elements.map(({ name, value }) => [name, value?.objectId]))
    return values.map((_, index) => {
      const objectId = ids.get(String(index))
      if (objectId === undefined) throw new TypeError('only objects have an inside')
      return objectId
    })
  }

  #properties(objectId: string): Properties {
    return this.#post('Runtime.getProperties', { objectId, ownProperties: true }) as Properties
  }

  /** The objects themselves: the inspector has them hand themselves over. */
  #handedOver(objectIds: readonly string[]): readonly unknown[] {
    const [first] = objectIds
    if (first === undefined) return []
    this.#post('Runtime.callFunctionOn', {
      objectId: first,
      functionDeclaration: `function (...all) { process.${CROSSING}.found = all }`,
      arguments: objectIds.map((objectId) => ({ objectId }))
    })
    return this.#crossing.found ?? []
  }

  /** A session with the own thread answers before `post` returns. */
  #post(method: string, parameters: object): unknown {
    let answer: unknown
    let failure: Error | null = null
    this.#session.post(method, parameters, (error: Error | null, result: unknown) => {
      failure = error
      answer = result
    })
    if (failure !== null) throw failure as Error
    return answer
  }
}
