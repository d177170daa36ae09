import { writeFileSync } from 'node:fs'
import { LIST, listOfMetrics } from './list.ts'

writeFileSync(LIST, await listOfMetrics())
