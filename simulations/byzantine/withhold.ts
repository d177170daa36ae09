import type { Driver } from './actor.ts'

/** Takes what comes and keeps it: passes nothing on, publishes nothing, serves nothing. */
export const withhold: Driver = () => ({
  misbehaviour: {
    async judge(_message, honestly) {
      await honestly()
      return 'ignore'
    },
    serve(_protocol, stream) {
      stream.abort(new Error('nothing is served'))
      return Promise.resolve()
    },
    publish: () => Promise.resolve(0)
  }
})
