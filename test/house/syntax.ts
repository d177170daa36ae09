import { parseAst } from 'rolldown/parseAst'

/** One node of the ESTree that the parser returns; members other than these are read through `nodeAt` and `nodesAt`. */
export interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly [member: string]: unknown
}

/** One parsed file of the project; `path` is relative to the project's root, with `/`. */
export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly program: SyntaxNode
}

/** What a rule of the house found. */
export interface Finding {
  readonly rule: string
  readonly path: string
  /** Counted from 1. */
  readonly line: number
  readonly message: string
}

/** Parses one file as TypeScript. Throws on a syntax error. */
export function parseSource(path: string, text: string): SourceFile {
  const program: unknown = parseAst(text, { lang: 'ts' }, path)
  if (!isNode(program)) throw new TypeError(`${path}: the parser returned no syntax tree`)
  return { path, text, program }
}

/** A finding at a node of a file. */
export function findingAt(file: SourceFile, node: SyntaxNode, rule: string, message: string): Finding {
  return { rule, path: file.path, line: file.text.slice(0, node.start).split('\n').length, message }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

/** The node at one member, if there is one. */
export function nodeAt(node: SyntaxNode, member: string): SyntaxNode | undefined {
  const value = node[member]
  return isNode(value) ? value : undefined
}

/** The nodes of a member that holds a list. */
export function nodesAt(node: SyntaxNode, member: string): SyntaxNode[] {
  const value = node[member]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** All nodes directly below one. */
export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  return Object.values(node).flatMap((value) => (Array.isArray(value) ? value : [value]).filter(isNode))
}

/**
 * Calls `visit` for a node and everything below it. `parents` runs from the outermost to the direct parent.
 * Where `visit` returns false, nothing below that node is visited.
 */
export function walk(
  node: SyntaxNode,
  visit: (node: SyntaxNode, parents: readonly SyntaxNode[]) => boolean | void,
  parents: readonly SyntaxNode[] = []
): void {
  if (visit(node, parents) === false) return
  const below = [...parents, node]
  for (const child of childrenOf(node)) walk(child, visit, below)
}

/** The text of a string literal, or of a template without holes. */
export function stringOf(node: SyntaxNode | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node['value'] === 'string') return node['value']
  const quasis = node?.type === 'TemplateLiteral' ? nodesAt(node, 'quasis') : []
  const [whole] = quasis.length === 1 ? quasis : []
  return whole === undefined ? undefined : (whole['value'] as { readonly cooked: string }).cooked
}

/** The name that a key, specifier or property stands for: `x`, `'x'`, `['x']`; undefined where only running tells. */
export function keyName(node: SyntaxNode | undefined, computed: boolean): string | undefined {
  if (node?.type === 'Identifier' && !computed) return node['name'] as string
  return stringOf(node)
}

/** The property name of `object.name` or `object['name']`. */
export function memberName(node: SyntaxNode): string | undefined {
  return node.type === 'MemberExpression' ? keyName(nodeAt(node, 'property'), node['computed'] === true) : undefined
}

const WRAPPERS = new Set([
  'TSAsExpression',
  'TSNonNullExpression',
  'TSSatisfiesExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
  'ChainExpression',
  'ParenthesizedExpression'
])

/** True for a node that leaves the value of its `expression` as it is: a cast, `!`, an optional chain, parentheses. */
export function isWrapper(node: SyntaxNode): boolean {
  return WRAPPERS.has(node.type)
}

/** The expression inside casts, `!`, optional chains and parentheses. */
export function unwrap(node: SyntaxNode | undefined): SyntaxNode | undefined {
  let inner = node
  while (inner !== undefined && isWrapper(inner)) inner = nodeAt(inner, 'expression')
  return inner
}

/**
 * True for a node that exists only for the type checker (`import type` and `export type` are told apart by the caller).
 */
export function isTypeOnly(node: SyntaxNode): boolean {
  return (
    node.type.startsWith('TS') &&
    !isWrapper(node) &&
    node.type !== 'TSParameterProperty' &&
    node.type !== 'TSEnumDeclaration'
  )
}
