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

  privateFields(object: object): readonly Inner[] {
    const { privateProperties = [] } = this.#properties(this.#idOf(object))
    return this.#done(this.#values(privateProperties))
  }

  closedOver(code: () => unknown): readonly Inner[] {
    const { internalProperties = [] } = this.#properties(this.#idOf(code))
    const scopes = internalProperties.find(({ name }) => name === '[[Scopes]]')?.value?.objectId
    if (scopes === undefined) return this.#done([])
    const found: Inner[] = []
    for (const { value } of this.#properties(scopes).result) {
      // Those of modules and of the whole program belong to no node.
      if (value?.objectId === undefined || !/^(?:Closure|Block)/.test(value.description ?? '')) continue
      found.push(...this.#values(this.#properties(value.objectId).result))
    }
    return this.#done(found)
  }

  close(): void {
    this.#session.disconnect()
  }

  #idOf(value: unknown): string {
    this.#crossing.given = value
    const { result } = this.#post('Runtime.evaluate', {
      expression: `process.${CROSSING}.given`,
      objectGroup: CROSSING
    }) as Runtime.EvaluateReturnType
    if (result.objectId === undefined) throw new TypeError('only objects have an inside')
    return result.objectId
  }

  #properties(objectId: string): Properties {
    return this.#post('Runtime.getProperties', { objectId, ownProperties: true }) as Properties
  }

  /** The values themselves: the inspector has them hand themselves over. */
  #values(properties: readonly Pick<Runtime.PropertyDescriptor, 'name' | 'value'>[]): readonly Inner[] {
    const objects = properties.filter(({ value }) => value?.objectId !== undefined)
    const [first] = objects
    const primitives = properties
      .filter(({ value }) => value !== undefined && value.objectId === undefined)
      .map(({ name, value }): Inner => [name, value?.value])
    if (first?.value?.objectId === undefined) return primitives
    this.#post('Runtime.callFunctionOn', {
      objectId: first.value.objectId,
      functionDeclaration: `function (...all) { process.${CROSSING}.found = all }`,
      arguments: objects.map(({ value }) => ({ objectId: value?.objectId }))
    })
    const { found = [] } = this.#crossing
    return [...primitives, ...objects.map(({ name }, at): Inner => [name, found[at]])]
  }

  #done(found: readonly Inner[]): readonly Inner[] {
    this.#post('Runtime.releaseObjectGroup', { objectGroup: CROSSING })
    this.#crossing.given = undefined
    this.#crossing.found = []
    return found
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
