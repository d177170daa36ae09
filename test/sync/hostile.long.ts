import { describeHostilePeers } from './hostile-cases.ts'

describeHostilePeers(1)
