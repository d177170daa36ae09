import { realpath, stat } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { writeAtomically } from '../../platform/atomic-file.ts'
import { AnchormeshError } from '../../platform/errors.ts'
import { peersSchema } from '../../policy/config-schema.ts'
import type { PeersConfig } from '../../policy/config-schema.ts'
import { parseConfig } from '../../policy/yaml.ts'
import type { TrustPins } from '../../trust/trust-pins.ts'
import { editPins } from './config-edit.ts'
import { openKeystore } from './keystore.ts'
import { checkConfig, readConfigTexts } from './load-config.ts'
import type { ConfigSources } from './load-config.ts'
import { dataPaths } from './paths.ts'

type Pin = Parameters<TrustPins['pin']>[0]

/**
 * The pins in a data folder's `peers.yaml`: `organisations[].pins`. Comments stay, and nothing is written unless the
 * whole configuration is valid afterwards. A pin of the same number takes the place of the one before.
 */
export function filePins(sources: ConfigSources): TrustPins {
  return {
    pin: async (pin) => {
      const texts = await readConfigTexts(sources)
      const keystore = await openKeystore(dataPaths(sources.folder).keystore, sources.passphrases)
      const before = await checkConfig(texts, keystore, sources)
      const meant = withPin(before.peers, pin)
      if (isDeepStrictEqual(meant, before.peers)) return false
      const peers = { ...texts.peers, text: editPins(texts.peers.text, pin) }
      await checkConfig({ ...texts, peers }, keystore, sources)
      const parsed = parseConfig(peers.text, peers.file, peersSchema)
      if (!parsed.ok || !isDeepStrictEqual(parsed.value, meant)) {
        throw new AnchormeshError(
          'CONFIG_INVALID',
          `${peers.file} can't be edited without changing more than the pin`,
          {
            hint: 'It uses anchors and aliases (& and *): edit it by hand.'
          }
        )
      }
      const path = await realpath(peers.file)
      const { mode } = await stat(path)
      await writeAtomically(path, peers.text, { mode: mode & 0o777 })
      return true
    }
  }
}

function withPin(config: PeersConfig, { orgId, packSeq, hash }: Pin): PeersConfig {
  const known = config.organisations.find((organisation) => organisation.orgId === orgId)
  const organisation = known ?? { orgId, threshold: 1, pins: [], sources: [] }
  const pins = organisation.pins.some((pin) => pin.packSeq === packSeq)
    ? organisation.pins.map((pin) => (pin.packSeq === packSeq ? { packSeq, hash } : pin))
    : [...organisation.pins, { packSeq, hash }]
  const pinned = { ...organisation, pins }
  const organisations =
    known === undefined
      ? [...config.organisations, pinned]
      : config.organisations.map((one) => (one.orgId === orgId ? pinned : one))
  return { ...config, organisations }
}
