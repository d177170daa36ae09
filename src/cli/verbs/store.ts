import type { RegisterVerb } from '../command.ts'

export const registerStore: RegisterVerb = (program) => {
  program.command('store').description('The store of the data folder.')
}
