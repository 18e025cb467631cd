// The certified provider of the tests, on a free port of this machine. Tells the port, then obeys two orders:
//   POST /order/person?sub=…&amr=…&acr=…   who logs in from now on, without being asked
//   POST /order/fault?name=…               what is wrong with its ID tokens, or with its description, from now on
import { createHmac, createPublicKey } from 'node:crypto'
import { createServer } from 'node:http'
import * as jose from 'jose'
import { Provider } from 'oidc-provider'

const redirectUri = process.argv[2]
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const newKey = async (kid) => {
  const { privateKey } = await jose.generateKeyPair('RS256', { extractable: true })
  return { ...(await jose.exportJWK(privateKey)), kid, use: 'sig', alg: 'RS256' }
}
const [own, foreign] = [await newKey('own'), await newKey('foreign')]
let person = { sub: 'nobody' }
let fault = null

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
const signed = async (claims, key, kid = key.kid) =>
  new jose.SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid }).sign(await jose.importJWK(key, 'RS256'))

// Each takes the claims of a sound token and the token itself.
const faults = {
  none: (claims) => `${part({ alg: 'none', kid: 'own' })}.${part(claims)}.`,
  stripped: (_, token) => token.split('.').slice(0, 2).join('.') + '.',
  hs256: (claims) => {
    const pem = createPublicKey({ key: own, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
    const text = `${part({ alg: 'HS256', kid: 'own' })}.${part(claims)}`
    return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
  },
  altered: (claims, token) => {
    const [head, , signature] = token.split('.')
    return `${head}.${part({ ...claims, sub: 'somebody else' })}.${signature}`
  },
  foreign_key: (claims) => signed(claims, foreign),
  foreign_key_as_own: (claims) => signed(claims, foreign, 'own'),
  embedded_key: async (claims) => {
    const { d, p, q, dp, dq, qi, ...jwk } = foreign
    const head = { alg: 'RS256', kid: 'own', jwk }
    return new jose.SignJWT(claims).setProtectedHeader(head).sign(await jose.importJWK(foreign, 'RS256'))
  },
  issuer: (claims) => signed({ ...claims, iss: 'https://evil.example' }, own),
  audience: (claims) => signed({ ...claims, aud: 'another-client' }, own),
  two_audiences: (claims) => signed({ ...claims, aud: ['hulan', 'another-client'], azp: 'hulan' }, own),
  authorized_party: (claims) => signed({ ...claims, azp: 'another-client' }, own),
  expired: (claims) => signed({ ...claims, iat: claims.iat - 7200, exp: claims.iat - 3600 }, own),
  from_the_future: (claims) => signed({ ...claims, iat: claims.iat + 3600, exp: claims.iat + 7200 }, own),
  not_yet: (claims) => signed({ ...claims, nbf: claims.iat + 3600 }, own),
  no_end: ({ exp, ...claims }) => signed(claims, own),
  nonce: (claims) => signed({ ...claims, nonce: 'of-another-log-in' }, own),
  no_nonce: ({ nonce, ...claims }) => signed(claims, own),
  no_subject: ({ sub, ...claims }) => signed(claims, own),
  empty_subject: (claims) => signed({ ...claims, sub: '' }, own),
  nul_subject: (claims) => signed({ ...claims, sub: `${claims.sub}\u0000` }, own),
  list_subject: (claims) => signed({ ...claims, sub: [claims.sub] }, own),
  other_access_token: (claims) => signed({ ...claims, at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }, own),
  no_token: () => undefined,
  no_words: () => 'x',
}

const provider = new Provider(issuer, {
  clients: [{
    client_id: 'hulan', client_secret: 'a secret: of+the/tests', redirect_uris: [redirectUri],
    response_types: ['code'], grant_types: ['authorization_code'], token_endpoint_auth_method: 'client_secret_basic',
  }],
  jwks: { keys: [own] },
  cookies: { keys: ['of the tests'] },
  pkce: { required: () => true },
  acrValues: ['two-factors'],
  features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
  claims: { openid: ['sub'], acr: null, amr: null },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  loadExistingGrant: async (ctx) => {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid')
    await grant.save()
    return grant
  },
})

provider.use(async (ctx, next) => {
  const order = ctx.path.match(/^\/order\/(\w+)$/)?.[1]
  if (order === 'person') {
    const { sub, acr, amr } = ctx.query
    person = { sub, acr, amr: amr?.split(',') }
  } else if (order === 'fault') {
    fault = ctx.query.name ?? null
  } else if (ctx.path.startsWith('/interaction/')) {
    const login = { accountId: person.sub, acr: person.acr, amr: person.amr, remember: false }
    return provider.interactionFinished(ctx.req, ctx.res, { login })
  } else {
    await next()
    const route = ctx.oidc?.route
    if (route === 'discovery' && fault === 'described_as_another') ctx.body.issuer = 'https://evil.example'
    if (route === 'discovery' && fault === 'described_in_clear') ctx.body.token_endpoint = 'http://evil.example/token'
    if (route === 'token' && ctx.body?.id_token) {
      const claims = jose.decodeJwt(ctx.body.id_token)
      if (faults[fault]) ctx.body.id_token = await faults[fault](claims, ctx.body.id_token)
    }
    return
  }
  ctx.status = 204
})

server.on('request', provider.callback())
console.log(JSON.stringify({ port: server.address().port, faults: Object.keys(faults) }))
