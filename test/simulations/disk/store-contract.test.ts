import { describe } from 'vitest'
import { storeContract } from '../../log/store-contract.ts'
import { handDisk } from './support.ts'

describe('a store on a simulated disk', () => {
  storeContract(async () => handDisk('contract', { syncMs: () => 0 }).open().store, false)
})
