#!/usr/bin/env node
// The `anchormesh` command: looks at the version of Node before anything is loaded that an old one can't read.
// In a checkout it runs the sources as they stand, so that no build can be out of date; the package holds only `dist`.
var fs = require('fs')
var path = require('path')
var url = require('url')

var version = process.versions.node.split('.').map(Number)
if (version[0] < 22 || (version[0] === 22 && version[1] < 12)) {
  console.error(
    'anchormesh needs Node 22.12 or newer, and this is ' +
      process.version +
      '.\n' +
      'Install a newer Node; in a checkout, `npx anchormesh` takes the one that `npm ci` has installed.'
  )
  process.exitCode = 1
} else {
  var source = path.join(__dirname, 'main.ts')
  var built = path.join(__dirname, '..', '..', 'dist', 'src', 'cli', 'main.js')
  void import(url.pathToFileURL(process.features.typescript && fs.existsSync(source) ? source : built).href)
}
