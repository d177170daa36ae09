// Says what to do where Node is too old to install the project. Plain ES5, because old ones run it too.
// It asks for the Node that runs npm: npm 11 calls this when the dev dependency `node` is already first on the PATH.
// In a project that only depends on Anchormesh it does nothing: there npm compares `engines` itself.
var running =
  /node\/v(\d+)\.(\d+)/.exec(process.env.npm_config_user_agent || '') || /^v(\d+)\.(\d+)/.exec(process.version)
var major = Number(running[1])
var minor = Number(running[2])
// Rolldown's native part, which the tests need, asks for these; npm leaves it out without a word on any other.
var fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22
var isDependency = /[\\/]node_modules[\\/]/.test(__dirname)

if (!fits && !isDependency) {
  console.error(
    '\nAnchormesh can not be installed with Node ' +
      major +
      '.' +
      minor +
      ': npm must run on Node 20.19 or newer 20, 22.12 or newer.\n' +
      'Install a newer Node (24 is a good choice; the one that runs npm is what counts), delete node_modules, and run `npm ci` again.\n'
  )
  process.exitCode = 1
}
