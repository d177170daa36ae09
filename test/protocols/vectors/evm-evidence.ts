import { keccak_256 } from '@noble/hashes/sha3.js'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>
type Transaction = Parts & { readonly type?: string }

const BASE = 'evm-evidence/v1/vectors'

/** The vectors of evm-evidence/v1. Transactions are serialized and hashed here as the SPEC says, without the codec. */
export function evmEvidenceVectors(): readonly VectorFile[] {
  return [
    {
      path: `${BASE}/transactions.json`,
      description:
        'Transactions as JSON-RPC shows them (without the members that the hash does not cover), how they are serialized (hex), and their hashes (hex).',
      vectors: transactions()
    },
    {
      path: `${BASE}/transactions-invalid.json`,
      description:
        'Transactions that have no hash: `why` is `type` (hashed in a way of its own) or `malformed` (a member breaks the rule).',
      vectors: invalidTransactions()
    },
    {
      path: `${BASE}/evidence.json`,
      description:
        'What an anchor says (`anchored`), the batch root, and a transaction that carries it: `to`, `input`, whether the status is 1 (`succeeded`), `logs`. Bytes are hex without 0x.',
      vectors: evidence()
    },
    {
      path: `${BASE}/evidence-invalid.json`,
      description: 'The same for transactions that do not carry the root as the anchor says, with rule and code.',
      vectors: invalidEvidence()
    }
  ]
}

type Item = Buffer | readonly Item[]

/** Recursive length prefix: Ethereum's yellow paper, appendix B. */
function rlp(item: Item): Buffer {
  if (Buffer.isBuffer(item)) {
    return item.length === 1 && (item[0] as number) < 0x80 ? item : Buffer.concat([prefix(item.length, 0x80), item])
  }
  const payload = Buffer.concat(item.map((part) => rlp(part)))
  return Buffer.concat([prefix(payload.length, 0xc0), payload])
}

function prefix(length: number, base: number): Buffer {
  if (length < 56) return Buffer.of(base + length)
  const size = bigEndian(BigInt(length))
  return Buffer.concat([Buffer.of(base + 55 + size.length), size])
}

function bigEndian(value: bigint): Buffer {
  const digits = value === 0n ? '' : value.toString(16)
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex')
}

const integer = (value: unknown): Buffer => bigEndian(BigInt(value as string))
const bytes = (value: unknown): Buffer => Buffer.from((value as string | null)?.slice(2) ?? '', 'hex')
const quantity = (value: bigint | number): string => `0x${value.toString(16)}`

const ADDRESS = hex(sha256('an address').subarray(0, 20))
const OTHER_ADDRESS = hex(sha256('another address').subarray(0, 20))
const ROOT = hex(sha256('a root'))
const R = quantity(BigInt(`0x${hex(sha256('r'))}`))
// Short, so that a leading zero would be seen.
const S = quantity(BigInt(`0x${hex(sha256('s').subarray(0, 31))}`))

const CALL = { gas: '0x5dc0', to: `0x${ADDRESS}`, value: '0x0', input: `0x97ad09eb${ROOT}` }
const SIGNATURE = { yParity: '0x1', v: '0x1', r: R, s: S }
const ACCESS_LIST = [
  { address: `0x${OTHER_ADDRESS}`, storageKeys: [`0x${hex(sha256('a slot'))}`, `0x${'0'.repeat(64)}`] },
  { address: `0x${ADDRESS}`, storageKeys: [] }
]
const FEES = { maxPriorityFeePerGas: '0x1', maxFeePerGas: '0x59682f10' }

const LEGACY = { type: '0x0', nonce: '0x0', gasPrice: '0x3b9aca00', ...CALL, v: '0x1c', r: R, s: S }
const ACCESS = {
  type: '0x1',
  chainId: '0x1',
  nonce: '0x7f',
  gasPrice: '0x1',
  ...CALL,
  accessList: ACCESS_LIST,
  ...SIGNATURE
}
const DYNAMIC = { type: '0x2', chainId: '0x5', nonce: '0xd5cb', ...FEES, ...CALL, accessList: [], ...SIGNATURE }
const BLOB = {
  ...DYNAMIC,
  type: '0x3',
  maxFeePerBlobGas: '0x20000',
  blobVersionedHashes: [`0x01${hex(sha256('a blob').subarray(1))}`]
}
const SET_CODE = {
  ...DYNAMIC,
  type: '0x4',
  authorizationList: [{ chainId: '0x0', address: `0x${OTHER_ADDRESS}`, nonce: '0x0', yParity: '0x0', r: R, s: S }]
}

type Field = readonly [name: string, item: (value: unknown) => Item]
const CALL_FIELDS: readonly Field[] = [
  ['gas', integer],
  ['to', bytes],
  ['value', integer],
  ['input', bytes]
]
const accessList: Field = [
  'accessList',
  (list) =>
    (list as typeof ACCESS_LIST).map(({ address, storageKeys }) => [
      bytes(address),
      storageKeys.map((key) => bytes(key))
    ])
]
const integers = (...names: readonly string[]): readonly Field[] => names.map((name) => [name, integer])
const SIGNATURE_FIELDS = integers('yParity', 'r', 's')
const DYNAMIC_FIELDS = [
  ...integers('chainId', 'nonce', 'maxPriorityFeePerGas', 'maxFeePerGas'),
  ...CALL_FIELDS,
  accessList
]
const FIELDS: Readonly<Record<string, readonly Field[]>> = {
  '0x0': [...integers('nonce', 'gasPrice'), ...CALL_FIELDS, ...integers('v', 'r', 's')],
  '0x1': [...integers('chainId', 'nonce', 'gasPrice'), ...CALL_FIELDS, accessList, ...SIGNATURE_FIELDS],
  '0x2': [...DYNAMIC_FIELDS, ...SIGNATURE_FIELDS],
  '0x3': [
    ...DYNAMIC_FIELDS,
    ...integers('maxFeePerBlobGas'),
    ['blobVersionedHashes', (list) => (list as string[]).map((hash) => bytes(hash))],
    ...SIGNATURE_FIELDS
  ],
  '0x4': [
    ...DYNAMIC_FIELDS,
    [
      'authorizationList',
      (list) =>
        (list as typeof SET_CODE.authorizationList).map(({ chainId, address, nonce, yParity, r, s }) => [
          integer(chainId),
          bytes(address),
          ...[nonce, yParity, r, s].map(integer)
        ])
    ],
    ...SIGNATURE_FIELDS
  ]
}

function serialized(transaction: Transaction): Buffer {
  const type = transaction.type ?? '0x0'
  const items = (FIELDS[type] ?? []).map(([name, item]) =>
    item(transaction[name] ?? (name === 'yParity' ? transaction['v'] : null))
  )
  return Buffer.concat([type === '0x0' ? Buffer.alloc(0) : Buffer.from([Number(type)]), rlp(items)])
}

function transactions(): Vector[] {
  const valid = (description: string, transaction: Transaction): Vector => {
    const raw = serialized(transaction)
    return { description, transaction, serialized: hex(raw), hash: hex(keccak_256(raw)) }
  }
  return [
    valid('type 2, a call that carries a root', DYNAMIC),
    valid('type 0', LEGACY),
    valid('type 0 that names no type', without(LEGACY, 'type')),
    valid('type 0 with the chain id in v (EIP-155)', { ...LEGACY, v: '0x18e5bb3abd10a0' }),
    valid('type 0 that creates a contract', { ...LEGACY, to: null }),
    valid('type 1, with an access list', ACCESS),
    valid('type 1 whose v stands for its yParity', without(ACCESS, 'yParity')),
    valid('type 2 that sends only value', { ...DYNAMIC, value: '0xde0b6b3a7640000', input: '0x' }),
    valid('type 2 whose input is longer than 255 bytes', { ...DYNAMIC, input: `0x${'5a'.repeat(300)}` }),
    valid('type 2 with upper case in its address', { ...DYNAMIC, to: `0x${ADDRESS.toUpperCase()}` }),
    valid('type 2 with leading zeros in its signature', { ...DYNAMIC, s: `0x00${S.slice(2)}` }),
    valid('type 3', BLOB),
    valid('type 4', SET_CODE)
  ]
}

function invalidTransactions(): Vector[] {
  const malformed = (description: string, transaction: Parts): Vector => ({
    description,
    why: 'malformed',
    transaction
  })
  return [
    { description: 'a deposit of a rollup', why: 'type', transaction: { ...DYNAMIC, type: '0x7e' } },
    malformed('a type that is no quantity', { ...DYNAMIC, type: 2 }),
    malformed('a type of two bytes', { ...DYNAMIC, type: '0x100' }),
    malformed('no nonce', without(DYNAMIC, 'nonce')),
    malformed('a nonce with a leading zero', { ...DYNAMIC, nonce: '0x0d' }),
    malformed('a nonce that is a number', { ...DYNAMIC, nonce: 7 }),
    malformed('a value of 33 bytes', { ...DYNAMIC, value: `0x1${'0'.repeat(64)}` }),
    malformed('gas that is empty', { ...DYNAMIC, gas: '0x' }),
    malformed('an address of 19 bytes', { ...DYNAMIC, to: `0x${ADDRESS.slice(2)}` }),
    malformed('no member to', without(DYNAMIC, 'to')),
    malformed('an input without 0x', { ...DYNAMIC, input: ROOT }),
    malformed('an input of half a byte', { ...DYNAMIC, input: '0x1' }),
    malformed('an input that is not hex', { ...DYNAMIC, input: '0xzz' }),
    malformed('no access list', without(DYNAMIC, 'accessList')),
    malformed('an access list that is no list', { ...DYNAMIC, accessList: {} }),
    malformed('an access list with a short key', {
      ...DYNAMIC,
      accessList: [{ address: `0x${ADDRESS}`, storageKeys: ['0x00'] }]
    }),
    malformed('blob hashes that are none', { ...BLOB, blobVersionedHashes: ['0x01'] }),
    malformed('an authorization without a nonce', {
      ...SET_CODE,
      authorizationList: SET_CODE.authorizationList.map((item) => without(item, 'nonce'))
    }),
    malformed('no signature', without(DYNAMIC, 'r'))
  ]
}

function without(value: Parts, ...members: readonly string[]): Parts {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !members.includes(name)))
}

const WORD = hex(sha256('a word'))
const SELECTOR = '97ad09eb'
const CALLDATA = { carriedIn: 'calldata' }
const LOG = { carriedIn: 'log' }
const CALLED = { to: ADDRESS, input: ROOT, succeeded: true, logs: [] }
const LOGGED = { ...CALLED, input: '' }
const log = (changes: Parts = {}): Parts => ({ address: ADDRESS, topics: [WORD], data: ROOT, ...changes })

function evidence(): Vector[] {
  const valid = (description: string, anchored: Parts, transaction: Parts): Vector => ({
    description,
    anchored,
    batchRoot: ROOT,
    transaction
  })
  const input = (data: string): Parts => ({ ...CALLED, input: data })
  const logs = (...list: readonly Parts[]): Parts => ({ ...LOGGED, logs: list })
  return [
    valid('the calldata is the root', CALLDATA, CALLED),
    valid('the only argument of a call', CALLDATA, input(`${SELECTOR}${ROOT}`)),
    valid('the last of three arguments', CALLDATA, input(`${SELECTOR}${WORD}${WORD}${ROOT}`)),
    valid('of the named contract', { ...CALLDATA, contract: ADDRESS }, CALLED),
    valid('in the creation of a contract, where none is named', CALLDATA, { ...CALLED, to: null }),
    valid('the data of a log', LOG, logs(log())),
    valid('a topic of a log', LOG, logs(log({ topics: [WORD, ROOT], data: '' }))),
    valid('the first topic of an anonymous log', LOG, logs(log({ topics: [ROOT], data: '' }))),
    valid('the second word of the data, before a rest', LOG, logs(log({ data: `${WORD}${ROOT}00` }))),
    valid('the second log', LOG, logs(log({ data: WORD }), log())),
    valid('a log of the named contract', { ...LOG, contract: ADDRESS }, logs(log())),
    valid(
      'a log of the named contract after one of another',
      { ...LOG, contract: ADDRESS },
      logs(log({ address: OTHER_ADDRESS }), log())
    ),
    valid(
      'a log of a contract that another called',
      { ...LOG, contract: ADDRESS },
      { ...logs(log()), to: OTHER_ADDRESS }
    )
  ]
}

function invalidEvidence(): Vector[] {
  const invalid = (description: string, rule: string, anchored: Parts, transaction: Parts): Vector => ({
    description,
    rule,
    code:
      { 'EE-8': 'EVM_ROOT_NOT_FOUND', 'EE-9': 'EVM_CONTRACT', 'EE-11': 'EVM_REVERTED' }[rule] ??
      { 'EE-12': 'EVM_ROOT_NOT_FOUND', 'EE-13': 'EVM_CONTRACT' }[rule],
    anchored,
    batchRoot: ROOT,
    transaction
  })
  const input = (description: string, data: string): Vector =>
    invalid(description, 'EE-8', CALLDATA, { ...CALLED, input: data })
  const logs = (description: string, ...list: readonly Parts[]): Vector =>
    invalid(description, 'EE-12', LOG, { ...LOGGED, logs: list })
  const named = { ...CALLDATA, contract: OTHER_ADDRESS }
  const otherRoot = hex(sha256('another root'))
  return [
    input('no calldata', ''),
    input('another root', otherRoot),
    input('a byte before the root', `00${ROOT}`),
    input('a byte after the root', `${ROOT}00`),
    input('two words without a selector', `${WORD}${ROOT}`),
    input('a byte after the arguments', `${SELECTOR}${ROOT}00`),
    input('a root across two words', `${SELECTOR}${WORD.slice(0, 32)}${ROOT}${WORD.slice(32)}`),
    input('the beginning of the root', `${SELECTOR}${ROOT.slice(0, 62)}`),
    input('a selector alone', SELECTOR),
    invalid('in a log, not in calldata', 'EE-8', CALLDATA, { ...LOGGED, logs: [log()] }),
    invalid('another root, and it reverted', 'EE-8', CALLDATA, { ...CALLED, input: otherRoot, succeeded: false }),
    invalid('another contract was called', 'EE-9', named, CALLED),
    invalid('no contract was called', 'EE-9', named, { ...CALLED, to: null }),
    invalid('a call that reverted', 'EE-11', CALLDATA, { ...CALLED, succeeded: false }),
    invalid('a reverted transaction has no logs', 'EE-11', LOG, { ...LOGGED, succeeded: false }),
    logs('no log'),
    logs('a log of another root', log({ data: otherRoot })),
    logs('the root between words', log({ data: `00${ROOT}${WORD.slice(2)}` })),
    logs('a root that is cut off', log({ data: `${WORD}${ROOT.slice(0, 62)}` })),
    invalid('in calldata, not in a log', 'EE-12', LOG, { ...CALLED, logs: [log({ data: WORD })] }),
    invalid('a log of another contract', 'EE-13', { ...LOG, contract: OTHER_ADDRESS }, { ...LOGGED, logs: [log()] }),
    invalid(
      'a log of the contract that was called by the named one',
      'EE-13',
      { ...LOG, contract: OTHER_ADDRESS },
      {
        ...LOGGED,
        to: OTHER_ADDRESS,
        logs: [log(), log({ address: OTHER_ADDRESS, data: WORD })]
      }
    )
  ]
}
