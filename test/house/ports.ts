import {
  findingAt,
  isTypeOnly,
  isWrapper,
  keyName,
  memberName,
  nodeAt,
  nodesAt,
  stringOf,
  unwrap,
  walk
} from './syntax.ts'
import type { Finding, SourceFile, SyntaxNode } from './syntax.ts'

/**
 * The folders that may read clocks, set timers and draw random numbers: the ports' own, and the one that replaces all of
 * them in a simulation.
 */
const PLATFORMS = ['src/platform/', 'simulations/world/']

/** Globals of which no use at all is left to the rest of the house. */
const CLOCK_GLOBALS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'performance', 'Temporal'])

/**
 * Globals that are harmless but for some members. `byName`: the object itself may be handed on (`process` as an event
 * emitter); the others may only be used in place, or an alias would hide the member.
 */
const GUARDED_GLOBALS: ReadonlyMap<string, { readonly members: readonly string[]; readonly byName: boolean }> = new Map(
  [
    ['Date', { members: ['now'], byName: false }],
    ['Math', { members: ['random'], byName: false }],
    ['AbortSignal', { members: ['timeout'], byName: false }],
    ['Atomics', { members: ['wait', 'waitAsync'], byName: false }],
    ['process', { members: ['hrtime', 'uptime'], byName: true }]
  ]
)

/** Names by which one reaches the globals as an object. */
const GLOBAL_OBJECTS = new Set(['globalThis', 'global'])

/** Modules that are clocks, timers or randomness as a whole. */
const CLOCK_MODULES = new Set(['timers', 'timers/promises', 'perf_hooks', 'nanoid', 'uuid'])

/** Modules that bring threads: a simulation runs the whole node in one. */
const THREAD_MODULES = new Set(['worker_threads'])

/**
 * Functions that draw random bytes, in `node:crypto`, Web Crypto, noble and libp2p alike. They are looked for by name,
 * on any object and in any import, so that no alias of a module hides them.
 */
const RANDOM_NAMES = new Set([
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
  'getRandomValues',
  'generateKey',
  'generateKeySync',
  'generateKeyPair',
  'generateKeyPairSync',
  'generateKeys',
  'generatePrime',
  'generatePrimeSync',
  'keygen',
  'keygenAsync',
  'randomSecretKey',
  'randomPrivateKey'
])

/** Uses that stay, each with its reason. */
export const EXCEPTIONS: readonly {
  readonly path: RegExp
  readonly names: readonly string[]
  readonly reason: string
}[] = [
  {
    path: /^src\/timestamps\/clients\/development-certificates\.ts$/,
    names: ['generateKey'],
    reason:
      "Web Crypto makes the development TSA's RSA or EC key pair itself and takes no random bytes from a port; nothing replays it"
  }
]

/**
 * Finds clocks and timers (`clock`), randomness (`random`) and threads (`thread`) outside `src/platform`. It reads names, not scopes: a
 * local variable that is called `performance` is found too and wants another name.
 */
export function findClocksAndRandom(file: SourceFile): Finding[] {
  if (PLATFORMS.some((folder) => file.path.startsWith(folder))) return []
  const allowed = new Set(EXCEPTIONS.filter((entry) => entry.path.test(file.path)).flatMap((entry) => entry.names))
  const findings: Finding[] = []
  const report = (node: SyntaxNode, name: string, message: string): void => {
    const last = name.split('.').at(-1) ?? name
    if (allowed.has(last)) return
    const isRandom = RANDOM_NAMES.has(last) || name === 'Math.random'
    const rule = THREAD_MODULES.has(name) ? 'thread' : isRandom ? 'random' : 'clock'
    findings.push(findingAt(file, node, rule, message))
  }
  walk(file.program, (node, parents) => {
    if (isTypeOnly(node) || node['importKind'] === 'type' || node['exportKind'] === 'type') return false
    checkModule(node, report)
    checkRandomName(node, parents, report)
    checkGlobal(node, parents, report)
    return true
  })
  return findings
}

type Report = (node: SyntaxNode, name: string, message: string) => void

/** `import … from 'node:timers'` and its kin, also through `import()`, `require` and `process.getBuiltinModule`. */
function checkModule(node: SyntaxNode, report: Report): void {
  const callee = node.type === 'CallExpression' ? unwrap(nodeAt(node, 'callee')) : undefined
  const calleeName = callee === undefined ? undefined : (memberName(callee) ?? keyName(callee, false))
  const loads = calleeName === 'require' || calleeName === 'getBuiltinModule'
  const source = loads
    ? nodesAt(node, 'arguments')[0]
    : /^(Import|Export)/.test(node.type)
      ? nodeAt(node, 'source')
      : undefined
  const module = stringOf(source)?.replace(/^node:/, '')
  if (module !== undefined && CLOCK_MODULES.has(module))
    report(node, module, `loads ${module}: take the Clock or Random port`)
  if (module !== undefined && THREAD_MODULES.has(module))
    report(node, module, `loads ${module}: take the SignatureVerifiers port, or make another`)
}

function checkRandomName(node: SyntaxNode, parents: readonly SyntaxNode[], report: Report): void {
  const parent = parents.at(-1)
  const inPattern = node.type === 'Property' && parent?.type === 'ObjectPattern'
  const name =
    memberName(node) ??
    (inPattern ? keyName(nodeAt(node, 'key'), node['computed'] === true) : undefined) ??
    (node.type === 'ImportSpecifier' ? keyName(nodeAt(node, 'imported'), false) : undefined) ??
    (node.type === 'ExportSpecifier' && nodeAt(parent ?? node, 'source')
      ? keyName(nodeAt(node, 'local'), false)
      : undefined)
  if (name !== undefined && RANDOM_NAMES.has(name)) report(node, name, `uses ${name}: take the Random port`)
}

function checkGlobal(node: SyntaxNode, parents: readonly SyntaxNode[], report: Report): void {
  const name = globalName(node, parents)
  if (name === undefined) return
  const use = useOf(node, parents)
  if (CLOCK_GLOBALS.has(name)) {
    report(node, name, `uses ${name}: take the Clock port`)
  } else if (GLOBAL_OBJECTS.has(name)) {
    const handedOn = use.kind === 'other' || (use.kind === 'member' && use.name === undefined)
    if (handedOn) report(node, name, `hands on ${name}, which hides what is read from it`)
    for (const key of use.kind === 'destructured' ? use.names : []) {
      if (CLOCK_GLOBALS.has(key) || GUARDED_GLOBALS.has(key)) report(node, key, `takes ${key} out of ${name}`)
    }
  } else {
    checkGuarded(node, name, use, report)
  }
}

function checkGuarded(node: SyntaxNode, name: string, use: Use, report: Report): void {
  const guard = GUARDED_GLOBALS.get(name)
  if (guard === undefined) return
  const used =
    use.kind === 'destructured' ? use.names : use.kind === 'member' && use.name !== undefined ? [use.name] : []
  for (const member of used.filter((key) => guard.members.includes(key))) {
    report(node, `${name}.${member}`, `uses ${name}.${member}: take the port of src/platform`)
  }
  if (name === 'Date' && use.kind === 'new' && use.arguments === 0) report(node, 'Date', 'new Date() reads the clock')
  const hidden = use.kind === 'other' || (use.kind === 'member' && use.name === undefined)
  if (hidden && !guard.byName)
    report(node, name, `${name} is called or handed on, which reads or hides ${guard.members.join(', ')}`)
}

/** The global that an expression names: `Date`, or `globalThis.Date`. Keys, properties and new bindings name none. */
function globalName(node: SyntaxNode, parents: readonly SyntaxNode[]): string | undefined {
  if (node.type === 'MemberExpression') {
    const object = unwrap(nodeAt(node, 'object'))
    const named = object !== undefined && globalName(object, [node])
    return typeof named === 'string' && GLOBAL_OBJECTS.has(named) ? memberName(node) : undefined
  }
  if (node.type !== 'Identifier' || isBinding(node, parents)) return undefined
  return node['name'] as string
}

/** True where an identifier is a key, a property or a new name, and so refers to nothing. */
function isBinding(node: SyntaxNode, parents: readonly SyntaxNode[]): boolean {
  const parent = parents.at(-1)
  if (parent === undefined) return false
  const is = (member: string): boolean => parent[member] === node
  switch (parent.type) {
    case 'MemberExpression':
      return is('property') && parent['computed'] !== true
    case 'Property':
      if (is('key')) return parent['computed'] !== true
      return parents.at(-2)?.type === 'ObjectPattern'
    case 'MethodDefinition':
    case 'PropertyDefinition':
    case 'AccessorProperty':
      return is('key') && parent['computed'] !== true
    case 'VariableDeclarator':
    case 'ClassDeclaration':
    case 'ClassExpression':
      return is('id')
    case 'AssignmentPattern':
      return is('left')
    case 'CatchClause':
      return is('param')
    case 'ExportSpecifier':
      return is('exported') || nodeAt(parents.at(-2) ?? parent, 'source') !== undefined
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return !is('body')
    case 'RestElement':
    case 'ArrayPattern':
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
    case 'TSParameterProperty':
      return true
    default:
      return false
  }
}

type Use =
  | { readonly kind: 'member'; readonly name: string | undefined }
  | { readonly kind: 'destructured'; readonly names: readonly string[] }
  | { readonly kind: 'new'; readonly arguments: number }
  | { readonly kind: 'instanceof' }
  | { readonly kind: 'other' }

/** What is done with the value of an expression, looking past casts and `!`. */
function useOf(node: SyntaxNode, parents: readonly SyntaxNode[]): Use {
  let value = node
  let depth = parents.length - 1
  for (let parent = parents[depth]; parent !== undefined && isWrapper(parent); parent = parents[depth]) {
    value = parent
    depth -= 1
  }
  const parent = parents[depth]
  if (parent?.type === 'MemberExpression' && parent['object'] === value)
    return { kind: 'member', name: memberName(parent) }
  if (parent?.type === 'NewExpression' && parent['callee'] === value) {
    return { kind: 'new', arguments: nodesAt(parent, 'arguments').length }
  }
  if (parent?.type === 'BinaryExpression' && parent['operator'] === 'instanceof') return { kind: 'instanceof' }
  const pattern = parent?.type === 'VariableDeclarator' && parent['init'] === value ? nodeAt(parent, 'id') : undefined
  if (pattern?.type !== 'ObjectPattern') return { kind: 'other' }
  const keys = nodesAt(pattern, 'properties').map((property) =>
    keyName(nodeAt(property, 'key'), property['computed'] === true)
  )
  const names = keys.filter((key) => key !== undefined)
  return names.length === keys.length ? { kind: 'destructured', names } : { kind: 'other' }
}
