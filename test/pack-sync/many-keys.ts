import { ADA } from './support.ts'
import { member } from '../support/identities.ts'

/** Ada's own key and so many more that a pack of all is about 30 KiB. */
export const keys = [
  ADA.signer,
  ...Array.from({ length: 150 }, (_, index) => {
    const { signer } = member(`many-${index}`)
    return { ...signer, did: ADA.signer.did, kid: `kid-many-${index}-${'x'.repeat(40)}` }
  })
]
