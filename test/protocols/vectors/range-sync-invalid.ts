import { varint } from './negentropy-exchange.ts'
import { hex } from './vector-file.ts'
import type { Vector } from './vector-file.ts'

type Code = 'bad-frame' | 'too-big'

const A16 = 'aa'.repeat(16)
const B12 = 'bb'.repeat(12)
const TIP = `01${B12}`
const HELLO = `0101${text('a')}${A16}${'cc'.repeat(32)}`
const SKETCH = `03${A16}${A16}`
/** 2^53, the least that no varint of these frames may be. */
const TOO_LARGE = varint(2n ** 53n)

/** Bytes that are no frame. */
export function invalidFrames(): Vector[] {
  return [...forms(), ...fields(), ...numbers(), ...lists(), ...limits(), ...lengths()]
}

function invalid(rule: string, code: Code, description: string, bytes: string): Vector {
  return { description, rule, code, bytes }
}

const bad = (description: string, bytes: string): Vector => invalid('RS-4', 'bad-frame', description, bytes)

function forms(): Vector[] {
  return [
    ...['00', '0b', '0e', '10', '7f', '80', '81', 'ff'].map((type) => bad(`the type ${type}`, `${type}000000`)),
    ...['01', '02', '03', '04', '06', '07', '08', '09', '0a', '0f'].map((type) => bad(`the type ${type} alone`, type)),
    bad('hello with a byte after its end', `${HELLO}0000`),
    bad('equal with a byte after its end', `02${A16}00`),
    bad('equal without its last byte', `02${A16.slice(2)}`),
    bad('a sketch with a byte after its end', `${SKETCH}01aabbccddee00`),
    bad('a tree without the number of chains', `04${A16}${A16}`),
    bad('chains with a byte after their end', '060000000000'),
    bad('an answer with a byte after its end', '07000000'),
    bad('an answer without entries, nor their number', '0700'),
    bad('a probe with a byte after its end', '08000000'),
    bad('events with a byte after their end', '09010100ff'),
    bad('done with a byte after its end', '0a00000000'),
    bad('done with two numbers', '0a0000'),
    bad('an error with a byte after its end', `0f${text('busy')}0000`),
    bad('an error without a detail', `0f${text('busy')}`)
  ]
}

function fields(): Vector[] {
  const hello = (description: string, namespace: string): Vector =>
    invalid('RS-8', 'bad-frame', description, `0101${namespace}${A16}${'cc'.repeat(32)}00`)
  return [
    invalid('RS-8', 'bad-frame', 'hello of version 0', `0100${HELLO.slice(4)}00`),
    invalid('RS-8', 'bad-frame', 'hello of version 2', `0102${HELLO.slice(4)}00`),
    invalid('RS-8', 'bad-frame', 'hello of version 2, of which only that is known', '0102'),
    hello('hello in no namespace', '00'),
    hello('hello in a namespace in upper case', text('DAO')),
    hello('hello in a namespace of 65 characters', text('a'.repeat(65))),
    hello('hello in a namespace with a line feed after it', text('dao\n')),
    hello('hello in a namespace with U+FEFF before it', text('\ufeffdao')),
    hello('hello in another namespace with an underscore', text('_trusty')),
    bad('hello with a namespace that is not UTF-8', `010101ff${A16}${'cc'.repeat(32)}00`),
    invalid('RS-5', 'bad-frame', 'an unknown error code', `0f${text('oops')}00`),
    invalid('RS-5', 'bad-frame', 'an error code in upper case', `0f${text('BUSY')}00`),
    invalid('RS-5', 'bad-frame', 'no error code', '0f0000'),
    bad('a detail with half a character', `0f${text('busy')}02e282`),
    bad('a detail with an overlong character', `0f${text('busy')}02c080`),
    bad('a detail with a surrogate', `0f${text('busy')}03eda080`),
    bad('a detail that ends too early', `0f${text('busy')}0361`),
    ...['06', '07', '08'].map((type) => bad(`the flag \`more\` of 2 in ${type}`, `${type}02000000`)),
    bad('the flag `more` of 255', '06ff000000'),
    bad('chains matched in a third way', '0600020000'),
    bad('chains with an unused bit', '060000010300'),
    bad('chains with the highest bit of seven unused', '060000078000'),
    bad('an answer with an unused bit', '0700010009ff0200'),
    bad('a probe with an unused bit', '08000100020400'),
    bad('a bitmap without its last byte', '0700010009ff'),
    bad('a bitmap of 2^53 - 1 bits', `07000100${varint(2n ** 53n - 1n)}ff00`),
    bad('a tip at position 0', `0600000001${A16}0100${B12}`),
    bad('a tip at position 0 in an answer', `0700010001000100${B12}`),
    bad('a sample at position 0', `08000100000100${B12}`),
    invalid('RS-18', 'bad-frame', 'no events', '0900'),
    invalid('RS-18', 'bad-frame', 'an event without bytes', '090100'),
    invalid('RS-18', 'bad-frame', 'an event without bytes before one with bytes', '09020002aabb'),
    bad('an event without its last byte', '090102aa')
  ]
}

function numbers(): Vector[] {
  const done = (description: string, number: string): Vector => bad(description, `0a${number}0000`)
  return [
    done('a number with a leading zero digit', '8001'),
    done('zero in two digits', '8000'),
    done('the number 2^53', TOO_LARGE),
    done('the number 2^64', `82${'80'.repeat(8)}00`),
    done('ten digits', `${'81'.repeat(9)}00`),
    done('eleven digits', `${'81'.repeat(10)}00`),
    bad('a number without its end', '0a0000ff'),
    bad('hello with a number of chains that is not in its shortest form', `${HELLO}8001`),
    bad('hello with 2^53 chains', HELLO + TOO_LARGE),
    bad('a tree with 2^53 chains', `04${A16}${A16}${TOO_LARGE}61`),
    bad('a list whose length is not in its shortest form', '07008000'),
    bad('a bitmap whose length is not in its shortest form', '0600008000'),
    bad('a text whose length is not in its shortest form', `0f${text('busy')}800161`),
    bad('an event whose length is not in its shortest form', '0901800100'),
    bad('an index that is not in its shortest form', '07000180010000'),
    bad('the position 2^53', `0600000001${A16}01${TOO_LARGE}${B12}`),
    bad('the index 2^53', `070001${TOO_LARGE}0000`)
  ]
}

function lists(): Vector[] {
  return [
    bad('a sketch of two chains, of which one is there', `${SKETCH}02aabbccddee`),
    bad('a sketch of 4,096 chains, of which none is there', `${SKETCH}a000`),
    bad('two items, of which one is there', `06000102${B12}`),
    bad('two chains, of which one and a half are there', `0600000002${A16}00${A16}`),
    bad('two tips, of which one is there', `0600000001${A16}02${TIP}`),
    bad('3,072 tips, of which none is there', `0600000001${A16}9800`),
    bad('two answers, of which one is there', '070002000000'),
    bad('two probed chains, of which one is there', '080002000000'),
    bad('two samples, of which one is there', `080001000002${TIP}`),
    bad('two events, of which one is there', '09020100'),
    bad('256 events, of which none is there', '098200')
  ]
}

function limits(): Vector[] {
  const many = (rule: string, description: string, prefix: string, repeat: string, count: number): Vector => {
    return { description, rule, code: 'too-big', prefix, repeat, count }
  }
  const big = (description: string, bytes: string): Vector => invalid('RS-4', 'too-big', description, bytes)
  return [
    many('RS-9', 'a sketch of 4,097 chains', `${SKETCH}a001`, 'aabbccddee', 4097),
    many('RS-12', '1,025 chains', '060000008801', `${A16}00`, 1025),
    many('RS-12', '1,025 items', '0600018801', B12, 1025),
    many('RS-12', '3,073 tips of a chain', `0600000001${A16}9801`, TIP, 3073),
    many('RS-13', '1,025 answers', '07008801', '000000', 1025),
    many('RS-13', '3,073 tips in an answer', '0700010001009801', TIP, 3073),
    many('RS-15', '1,025 probed chains', '08008801', '000000', 1025),
    many('RS-17', '2,049 samples', '08000100009001', TIP, 2049),
    many('RS-17', '2,049 samples in two entries', `080002000001${TIP}01009000`, TIP, 2048),
    many('RS-18', '257 events', '098201', '0100', 257),
    invalid('RS-9', 'too-big', 'a sketch of 4,097 chains, of which none is there', `${SKETCH}a001`),
    invalid('RS-18', 'too-big', '257 events, of which none is there', '098201'),
    invalid('RS-17', 'too-big', '2^53 - 1 samples', `0800010000${varint(2n ** 53n - 1n)}`),
    { ...big('a detail of 257 bytes', ''), ...repeated(`0f${text('busy')}8201`, '61', 257) },
    big('a detail of 257 bytes, of which none is there', `0f${text('busy')}8201`),
    big('a namespace of 2^53 - 1 bytes', `0101${varint(2n ** 53n - 1n)}`),
    { ...invalid('RS-3', 'too-big', 'a frame of 65,537 bytes', ''), ...repeated('05', '61', 65_536) },
    { ...invalid('RS-3', 'too-big', '65,537 bytes of an unknown type', ''), ...repeated('0b', '00', 65_536) },
    { ...invalid('RS-3', 'too-big', 'events in 262,145 bytes', ''), ...repeated('09', '01', 262_144) }
  ].map(withoutEmpty)
}

/** What is wrong before the type of a frame is known. */
function lengths(): Vector[] {
  const stream = (code: Code, description: string, bytes: string): Vector => {
    return { description, rule: 'RS-3', code, stream: bytes }
  }
  return [
    stream('bad-frame', 'a length of 0', '00'),
    stream('bad-frame', 'a length that is not in its shortest form', '840000000000'),
    stream('bad-frame', 'a length of 0 in two bytes', '8000'),
    stream('bad-frame', 'a length of six bytes', '818080808001'),
    stream('too-big', 'a length of 262,145 bytes', '818010'),
    stream('too-big', 'a length of 2^32 - 1 bytes', 'ffffffff0f'),
    stream('too-big', 'a length of 2^35 - 1 bytes', 'ffffffff7f')
  ]
}

function repeated(prefix: string, repeat: string, count: number): Omit<Vector, 'description'> {
  return { prefix, repeat, count }
}

function withoutEmpty(vector: Vector): Vector {
  const { bytes, ...rest } = vector
  return bytes === '' ? rest : vector
}

function text(value: string): string {
  return varint(hex(value).length / 2) + hex(value)
}
