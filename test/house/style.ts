import { findingAt, memberName, nodeAt, nodesAt, unwrap, walk } from './syntax.ts'
import type { Finding, SourceFile, SyntaxNode } from './syntax.ts'

/** A file tells one story; past this many lines it wants to be two. */
export const FILE_LINES_MAX = 400

/**
 * Finds what the house does without: default exports (`default-export`), `any` (`any`), enums (`enum`) and parameter
 * properties (`parameter-property`), which type stripping can't run, failures that vanish (`empty-catch`: an empty
 * `catch` block or an empty `.catch()` handler) and files that are too long (`file-length`).
 */
export function findStyleBreaks(file: SourceFile): Finding[] {
  const findings: Finding[] = []
  walk(file.program, (node) => {
    const rule = ruleBrokenBy(node)
    if (rule !== undefined) findings.push(findingAt(file, node, rule[0], rule[1]))
  })
  const lines = file.text.trimEnd().split('\n').length
  if (lines > FILE_LINES_MAX) {
    findings.push(findingAt(file, file.program, 'file-length', `${lines} lines, at most ${FILE_LINES_MAX}`))
  }
  return findings
}

function ruleBrokenBy(node: SyntaxNode): [rule: string, message: string] | undefined {
  switch (node.type) {
    case 'ExportDefaultDeclaration':
    case 'TSExportAssignment':
      return ['default-export', 'a default export has no name to search for']
    case 'ExportSpecifier':
      return nodeAt(node, 'exported')?.['name'] === 'default'
        ? ['default-export', 'exports a name as default']
        : undefined
    case 'TSAnyKeyword':
      return ['any', 'any switches the type checker off; take unknown and narrow it']
    case 'TSEnumDeclaration':
      return ['enum', 'an enum does not run by type stripping; take a union of strings']
    case 'TSParameterProperty':
      return ['parameter-property', 'a parameter property does not run by type stripping; declare the field']
    case 'CatchClause':
      return isEmptyBlock(nodeAt(node, 'body')) ? ['empty-catch', 'a failure vanishes here'] : undefined
    case 'CallExpression':
      return swallows(node) ? ['empty-catch', 'a rejection vanishes here'] : undefined
    default:
      return undefined
  }
}

function isEmptyBlock(node: SyntaxNode | undefined): boolean {
  return node?.type === 'BlockStatement' && nodesAt(node, 'body').length === 0
}

/** `.catch(() => {})` and `.then(run, () => {})`. */
function swallows(call: SyntaxNode): boolean {
  const callee = unwrap(nodeAt(call, 'callee'))
  const name = callee === undefined ? undefined : memberName(callee)
  const handler = nodesAt(call, 'arguments')[name === 'then' ? 1 : 0]
  return (name === 'catch' || name === 'then') && handler !== undefined && isEmptyBlock(nodeAt(handler, 'body'))
}
