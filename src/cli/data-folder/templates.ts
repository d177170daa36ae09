/** The commented files that `anchormesh init` writes. Their form is the one that the YAML library writes back. */

/** How the YAML library writes what it edits; the templates have this form already, so edits change nothing else. */
export const YAML_STYLE = { lineWidth: 0, flowCollectionPadding: false } as const

export interface TemplateFacts {
  readonly did: string
  readonly orgId: string
  readonly namespaces: readonly string[]
}

/** `federation.yaml` of a new node: only what a person has to decide or is likely to change. */
export function federationTemplate({ did, orgId, namespaces }: TemplateFacts): string {
  return `# Anchormesh: this node, what it carries, and by which rules. A documented example of every key is
# config/federation.yaml of the project. A flag goes before the environment (ANCHORMESH_HTTP_LISTEN), the
# environment before this file, and this file before the defaults.
v: 1

node:
  # Whom this node signs for. A did:key is the public half of the key in keystore.json.
  did: ${did}
  orgId: ${quoted(orgId)}
  # Where it listens for other nodes, as multiaddrs.
  listen:
    - /ip4/0.0.0.0/tcp/4088
  # What it tells others instead, behind a router: /dns4/node.example.org/tcp/4088
  announce: []
  # Nodes to dial beside those of peers.yaml, with /p2p/ and their PeerId at the end.
  bootstrap: []
  # Whether to look for known peers in the local network.
  mdns: false

http:
  # Where apps read, and partners deliver to. What other machines can reach needs tls.
  listen: 127.0.0.1:8088

log:
  # debug, info, warn, error or silent
  level: info

# Who makes timestamp anchors, and how they are checked; without it none is verified here.
#
#   rails:
#     rfc3161:
#       example:
#         url: https://tsa.example.org/tsr
#         roots: [example.pem]        # in tsa-roots/

# What this node carries. A member needs both: its DID here and the role in peers.yaml.
${namespaces.length === 0 ? NO_NAMESPACE : `namespaces:\n${namespaces.map((name) => namespaceTemplate(name, did)).join('\n')}`}`
}

const NO_NAMESPACE = `#
#   namespaces:
#     dao:example:
#       tenant: example
#       members:
#         announce: [did:key:…]
#         serve: [did:key:…]
#         request: [did:key:…]
namespaces: {}
`

function namespaceTemplate(name: string, did: string): string {
  return `  ${quoted(name)}:
    # Whom the namespace belongs to; the same on every node.
    tenant: ${quoted(tenantOf(name))}
    # Who may publish announcements, serve bundles, ask for bundles.
    members:
      announce:
        - ${did}
      serve:
        - ${did}
      request:
        - ${did}
    # When a timestamp anchor is final: so many blocks deep, or under the chain's own tag.
    finality:
      "btc:*":
        depth: 6
      eip155:1:
        tag: finalized
      "rfc3161:*": {}
`
}

/** `peers.yaml` of a new node: nobody yet. */
export function peersTemplate(): string {
  return `# Anchormesh: who the other nodes are. Only the PeerIds named here may connect.
# \`anchormesh identity\` prints a node's entry; \`anchormesh peers add FILE\` adds it here and lets it into the
# namespaces of federation.yaml. An entry looks like this:
#
#   - did: did:key:…
#     orgId: example
#     peerId: 12D3KooW…
#     addresses:
#       - /dns4/node.example.org/tcp/4088
#     roles: [announce, serve, request]
#     keys:
#       - kid: z6Mk…
#         publicKey: base64url of 32 bytes
#
# What organisations may do to each other, too, is what is named here and nothing else. \`peers add\` writes what the
# roles of an entry need, towards all others (*); name an organisation in its place to allow less:
#
#   crossOrg:
#     allow:
#       # bundle: to have receipts of others; timestamp: to announce evidence for their batches
#       - {from: example, to: '*', operations: [bundle, timestamp]}
v: 1

peers: []
`
}

/** In quotes: a name may look like a number, or end with a colon. */
function quoted(text: string): string {
  return JSON.stringify(text)
}

/** A tenant has fewer letters than a namespace; the operator may change it, as long as all nodes agree. */
function tenantOf(namespace: string): string {
  return namespace.replaceAll(/[^a-z0-9_-]/g, '-')
}
