// A real OpenID Connect provider with one client, on a free port of the loopback: prints its issuer and goes on until it is ended.
// Its own login page (devInteractions) takes any name; "unverified" has an address that nobody has verified.
import Provider from 'oidc-provider'
import { createServer } from 'node:http'

const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'tanhui', client_secret: process.env.OIDC_CLIENT_SECRET, redirect_uris: ['http://127.0.0.1:1/api/v1/oidc/return'],
      id_token_signed_response_alg: process.env.OIDC_ALGORITHM, token_endpoint_auth_method: 'client_secret_basic',
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: id !== 'unverified' }),
    }),
    pkce: { required: () => true },
    jwks: JSON.parse(process.env.OIDC_JWKS),
    cookies: { keys: ['only for this test'] },
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
