import { attestationVectors } from './attestation.ts'
import { ada, authorOf, bob, canonicalOf, hashOf, smallAnnounce, TS } from './event-parts.ts'
import { adaKey, ascending, bobKey, packKey, packOf, packRootOf, secondPack } from './pack-parts.ts'
import { hex, sha256 } from './vector-file.ts'
import type { Vector, VectorFile } from './vector-file.ts'

type Parts = Readonly<Record<string, unknown>>

const TOKEN = Buffer.from('a token of the vectors')
const HASH = hashOf('something')

const bitcoin = {
  blockHash: hashOf('block'),
  blockHeight: 702_861,
  chainId: 'btc:mainnet',
  merkleBranch: [hashOf('sibling 0'), hashOf('sibling 1')],
  rawTx: Buffer.from('a transaction').toString('base64url'),
  txIndex: 3,
  txid: hashOf('txid')
}
const openTimestamps = {
  blockHash: hashOf('block'),
  blockHeight: 358_391,
  chainId: 'btc:mainnet',
  otsProof: Buffer.from('a proof').toString('base64url'),
  txid: hashOf('txid')
}
const evm = { blockNumber: 10_536_893, carriedIn: 'calldata', chainId: 'eip155:5', txHash: hashOf('transaction') }
const tsa = { chainId: 'rfc3161:freetsa', token: TOKEN.toString('base64url') }

/** The vectors of the bodies of event/v1. */
export function bodyVectors(): readonly VectorFile[] {
  return [
    {
      path: 'event/v1/vectors/announce.json',
      description: 'Bodies of announces, with evidenceId and evidenceHash of each timestamp anchor.',
      vectors: announces()
    },
    {
      path: 'event/v1/vectors/announce-invalid.json',
      description: 'Bodies that are no announce (BODY_INVALID), with the rule that they break.',
      vectors: invalidAnnounces()
    },
    ...attestationVectors(),
    {
      path: 'event/v1/vectors/anchor-pack.json',
      description: 'Bodies of anchor packs with their hash, and `resulting`: the keys that the root covers.',
      vectors: packs()
    },
    {
      path: 'event/v1/vectors/anchor-pack-invalid.json',
      description: 'Bodies that are no anchor pack (BODY_INVALID), with the rule that they break.',
      vectors: invalidPacks()
    }
  ]
}

function announces(): Vector[] {
  const announce = (description: string, changes: Parts, evidenceIds: readonly string[] = []): Vector => {
    const body: Parts = { ...smallAnnounce, ...changes }
    const timestampAnchors = body['timestampAnchors'] as readonly Parts[]
    return {
      description,
      body,
      evidence: timestampAnchors.map((timestampAnchor, index) => ({
        evidenceId: evidenceIds[index],
        evidenceHash: hex(sha256(canonicalOf(timestampAnchor)))
      }))
    }
  }
  return [
    announce('without timestamp anchors', {}),
    announce('of another owner, by attested software', { owner: 'Org.1', attestationMeasurementHash: HASH }),
    announce('the most receipts', { receiptCount: Number.MAX_SAFE_INTEGER }),
    announce('the longest batch id', { batchId: `0._:#-${'a'.repeat(122)}` }),
    announce('a Bitcoin transaction', { timestampAnchors: [bitcoin] }, [bitcoin.txid]),
    announce(
      'a Bitcoin transaction alone in its block',
      { timestampAnchors: [{ ...bitcoin, merkleBranch: [], txIndex: 0 }] },
      [bitcoin.txid]
    ),
    announce('a Bitcoin transaction by its hash', { timestampAnchors: [{ ...bitcoin, rawTx: { blob: HASH } }] }, [
      bitcoin.txid
    ]),
    announce('an OpenTimestamps proof', { timestampAnchors: [openTimestamps] }, [openTimestamps.txid]),
    announce(
      'EVM transactions',
      { timestampAnchors: [evm, { ...evm, carriedIn: 'log', contract: '0123456789abcdef'.repeat(3).slice(8) }] },
      [evm.txHash, evm.txHash]
    ),
    announce('a token', { timestampAnchors: [tsa] }, [hex(sha256(TOKEN))]),
    announce(
      'a token by its hash: the id is the same',
      { timestampAnchors: [{ ...tsa, token: { blob: hex(sha256(TOKEN)) } }] },
      [hex(sha256(TOKEN))]
    ),
    announce(
      'sixteen timestamp anchors',
      { timestampAnchors: Array.from({ length: 16 }, () => evm) },
      Array.from({ length: 16 }, () => evm.txHash)
    )
  ]
}

function invalidAnnounces(): Vector[] {
  const invalid = (description: string, rule: string, changes: Parts): Vector => ({
    description,
    rule,
    body: { ...smallAnnounce, ...changes }
  })
  const one = (description: string, rule: string, timestampAnchor: unknown): Vector =>
    invalid(description, rule, { timestampAnchors: [timestampAnchor] })
  const { batchRoot: _root, ...withoutRoot } = smallAnnounce
  const { token: _token, ...withoutToken } = tsa
  const { txIndex: _txIndex, ...withoutIndex } = bitcoin
  return [
    { description: 'no members', rule: 'EV-20', body: {} },
    { description: 'no root', rule: 'EV-20', body: withoutRoot },
    invalid('a further member', 'EV-20', { note: '' }),
    {
      description: 'a further member __proto__',
      rule: 'EV-20',
      body: JSON.parse(JSON.stringify(smallAnnounce).replace('{', '{"__proto__":1,')) as unknown
    },
    invalid('an empty batch id', 'EV-20', { batchId: '' }),
    invalid('a batch id of 129 characters', 'EV-20', { batchId: 'a'.repeat(129) }),
    invalid('a batch id with a slash', 'EV-20', { batchId: 'a/b' }),
    invalid('a root in upper case', 'EV-20', { batchRoot: 'A'.repeat(64) }),
    invalid('no receipts', 'EV-20', { receiptCount: 0 }),
    invalid('half a receipt', 'EV-20', { receiptCount: 0.5 }),
    invalid('an owner that is null', 'EV-20', { owner: null }),
    invalid('an owner with a space', 'EV-20', { owner: 'a b' }),
    invalid('a measurement that is no hash', 'EV-20', { attestationMeasurementHash: '' }),
    invalid('timestamp anchors that are no list', 'EV-20', { timestampAnchors: {} }),
    invalid('seventeen timestamp anchors', 'EV-20', { timestampAnchors: Array.from({ length: 17 }, () => evm) }),
    one('a timestamp anchor that is no object', 'EV-22', 'btc'),
    one('no chain', 'EV-22', withoutToken.chainId),
    one('an unknown rail', 'EV-22', { ...tsa, chainId: 'roughtime:a' }),
    one('a rail without a name', 'EV-22', { ...tsa, chainId: 'rfc3161:' }),
    one('a chain number with a zero before it', 'EV-22', { ...evm, chainId: 'eip155:01' }),
    one('a chain in upper case', 'EV-22', { ...bitcoin, chainId: 'btc:Mainnet' }),
    one('members of another rail', 'EV-22', { ...evm, chainId: 'btc:mainnet' }),
    one('a transaction and a proof', 'EV-23', { ...bitcoin, otsProof: 'AA' }),
    one('no place in the block', 'EV-23', withoutIndex),
    one('a place that the branch can not reach', 'EV-23', { ...bitcoin, txIndex: 4 }),
    one('a branch of 33', 'EV-23', { ...bitcoin, merkleBranch: Array.from({ length: 33 }, () => HASH) }),
    one('a branch with something that is no hash', 'EV-23', { ...bitcoin, merkleBranch: [HASH, ''] }),
    one('a height below zero', 'EV-23', { ...bitcoin, blockHeight: -1 }),
    one('a transaction id with a prefix', 'EV-23', { ...bitcoin, txid: `0x${HASH.slice(2)}` }),
    one('a transaction hash with a prefix', 'EV-24', { ...evm, txHash: `0x${HASH}` }),
    one('a contract with a prefix', 'EV-24', { ...evm, contract: `0x${HASH.slice(0, 40)}` }),
    one('a root carried in storage', 'EV-24', { ...evm, carriedIn: 'storage' }),
    one('no token', 'EV-25', withoutToken),
    one('a further member of a token', 'EV-25', { ...tsa, time: TS }),
    one('an empty token', 'EV-26', { ...tsa, token: '' }),
    one('a token with padding', 'EV-26', { ...tsa, token: 'AA==' }),
    one('a token with unused bits that are not zero', 'EV-26', { ...tsa, token: 'AB' }),
    one('a token by a hash in upper case', 'EV-26', { ...tsa, token: { blob: 'A'.repeat(64) } }),
    one('a token by its hash and size', 'EV-26', { ...tsa, token: { blob: HASH, size: 1 } }),
    one('a token that is null', 'EV-26', { ...tsa, token: null })
  ]
}

function packs(): Vector[] {
  const pack = (description: string, body: Parts, resulting: readonly Parts[]): Vector => ({
    description,
    body,
    packHash: hex(sha256(canonicalOf(body))),
    resulting: ascending(...resulting)
  })
  const retired = packKey(bob, {
    status: 'RETIRED',
    retiredAt: TS + 1,
    reason: 'replaced',
    notAfter: TS + 2,
    lastGood: [lastGood]
  })
  const revoked = packKey(ada, {
    status: 'REVOKED',
    retiredAt: TS + 1,
    revokedAt: TS + 2,
    reason: 'stolen',
    uses: ['event']
  })
  const carol = packKey(authorOf('carol'), { uses: ['pack'] })
  const third = [retired, revoked, carol]
  return [
    pack('the first pack', packOf(), [adaKey]),
    pack('a delta that adds a key and raises the threshold', secondPack, [adaKey, bobKey]),
    pack(
      'retired and revoked keys',
      packOf({
        keys: ascending(...third),
        packSeq: 3,
        prevPack: HASH,
        root: packRootOf('vaultmesh', 1, third),
        signingKids: [authorOf('carol').kid, ada.kid].toSorted()
      }),
      third
    ),
    pack(
      'a delta without keys, which only lasts longer',
      packOf({ keys: [], kind: 'delta', packSeq: 2, prevPack: HASH }),
      [adaKey]
    )
  ]
}

const lastGood = { authorSeq: 7, id: HASH, kid: bob.kid, namespace: 'dao:vaultmesh', signer: bob.did }

function invalidPacks(): Vector[] {
  const invalid = (description: string, rule: string, changes: Parts): Vector => ({
    description,
    rule,
    body: packOf(changes)
  })
  const key = (description: string, rule: string, changes: Parts): Vector =>
    invalid(description, rule, { keys: [packKey(ada, changes)] })
  const { root: _root, ...withoutRoot } = packOf()
  const { uses: _uses, ...withoutUses } = packKey(ada)
  const retired = { status: 'RETIRED', retiredAt: TS }
  return [
    { description: 'no members', rule: 'EV-30', body: {} },
    { description: 'no root', rule: 'EV-30', body: withoutRoot },
    invalid('a further member', 'EV-30', { note: '' }),
    invalid('an organisation with a space', 'EV-30', { orgId: 'a b' }),
    invalid('position zero', 'EV-30', { packSeq: 0 }),
    invalid('another kind', 'EV-30', { kind: 'partial' }),
    invalid('a threshold of zero', 'EV-30', { threshold: 0 }),
    invalid('a threshold of 257', 'EV-30', { threshold: 257 }),
    invalid('257 keys', 'EV-30', {
      keys: Array.from({ length: 257 }, (_, index) => packKey(ada, { kid: `k${String(index).padStart(3, '0')}` }))
    }),
    invalid('no signers', 'EV-30', { signingKids: [] }),
    invalid('signers not in order', 'EV-30', { signingKids: ['b', 'a'] }),
    invalid('an end that is no time', 'EV-30', { validUntil: '2027' }),
    invalid('the first pack with one before it', 'EV-31', { prevPack: HASH }),
    invalid('the second pack without one before it', 'EV-31', { packSeq: 2 }),
    invalid('a first pack that is a delta', 'EV-31', { kind: 'delta' }),
    invalid('a full pack without keys', 'EV-31', { keys: [] }),
    invalid('keys not in order', 'EV-31', { keys: ascending(adaKey, bobKey).toReversed() }),
    invalid('a key twice', 'EV-31', { keys: [adaKey, adaKey] }),
    invalid('a key that is no object', 'EV-32', { keys: [ada.kid] }),
    invalid('a key without uses', 'EV-32', { keys: [withoutUses] }),
    key('a further member of a key', 'EV-32', { note: '' }),
    key('a public key of 31 bytes', 'EV-32', { publicKey: ada.publicKey.subarray(1).toString('base64url') }),
    key('a public key in hex', 'EV-32', { publicKey: hex(ada.publicKey) }),
    key('another status', 'EV-32', { status: 'LOST' }),
    key('no use', 'EV-32', { uses: [] }),
    key('another use', 'EV-32', { uses: ['event', 'request'] }),
    key('uses not in order', 'EV-32', { uses: ['pack', 'event'] }),
    key('a use twice', 'EV-32', { uses: ['event', 'event'] }),
    key('a time below zero', 'EV-32', { notBefore: -1 }),
    key('a reason of 257 bytes', 'EV-32', { ...retired, reason: `${'é'.repeat(128)}a` }),
    key('an active key with a time of retirement', 'EV-33', { retiredAt: TS }),
    key('an active key with a reason', 'EV-33', { reason: '' }),
    key('an active key with last good events', 'EV-33', { lastGood: [] }),
    key('a retired key with a time of revocation', 'EV-33', { ...retired, revokedAt: TS }),
    key('last good events that are no list', 'EV-34', { ...retired, lastGood: {} }),
    key('65 last good events', 'EV-34', {
      ...retired,
      lastGood: Array.from({ length: 65 }, (_, index) => ({ ...lastGood, authorSeq: 1 + index }))
    }),
    key('a last good event without its chain', 'EV-34', { ...retired, lastGood: [{ authorSeq: 1, id: HASH }] }),
    key('a last good event at position zero', 'EV-34', { ...retired, lastGood: [{ ...lastGood, authorSeq: 0 }] }),
    key('a last good event with a further member', 'EV-34', { ...retired, lastGood: [{ ...lastGood, note: '' }] })
  ]
}
