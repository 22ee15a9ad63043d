// Bitrix24's own SDK against the emulated portal. The argument is a file with the
// line that `leadsync emulator --json` prints. Every step says what it saw; the
// first that is not as expected ends the script with an error.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { B24Hook, B24OAuth } from '@bitrix24/b24jssdk'

const info = JSON.parse(readFileSync(process.argv[2] ?? 'info.json', 'utf8'))
const say = (what, ...more) => console.log('ok', what, ...more)

async function control(method, path, body) {
  const answer = await fetch(`${info.portal}/_portal/${path}`, { method, body: body && JSON.stringify(body) })
  assert.equal(answer.status, 200, `${method} ${path}`)
  const text = await answer.text()
  return path === 'leads' && method === 'GET' ? text.trim().split('\n').map((line) => JSON.parse(line)) : JSON.parse(text)
}

// read pages, batches and compares with the truth.
async function read(b24, name) {
  const truth = await control('GET', 'leads')
  const ids = truth.map((lead) => lead.ID)

  const call = await b24.actions.v2.call.make({ method: 'crm.lead.get', params: { id: ids[0] } })
  assert.ok(call.isSuccess)
  assert.equal(call.getData().result.TITLE, truth[0].TITLE)

  const first = await b24.actions.v2.call.make({ method: 'crm.lead.list', params: { select: ['ID'] } })
  assert.equal(first.getTotal(), ids.length)
  assert.equal(first.getData().result.length, 50)
  assert.ok(first.isMore())

  const select = ['*', 'UF_*', 'PHONE', 'EMAIL', 'WEB', 'IM', 'LINK']
  const paged = []
  for await (const chunk of b24.actions.v2.fetchList.make({ method: 'crm.lead.list', params: { select }, idKey: 'ID' })) {
    paged.push(...chunk)
  }
  assert.deepEqual(paged, truth)

  const listed = await b24.actions.v2.callList.make({ method: 'crm.lead.list', params: { select: ['ID'], filter: { '!STATUS_ID': 'JUNK' } } })
  assert.ok(listed.isSuccess, listed.getErrorMessages().join('; '))
  assert.deepEqual(listed.getData().map((row) => row.ID), truth.filter((lead) => lead.STATUS_ID !== 'JUNK').map((lead) => lead.ID))

  const items = []
  for await (const chunk of b24.actions.v2.fetchList.make({
    method: 'crm.item.list', params: { entityTypeId: 1, select: ['id', 'title'] }, idKey: 'id', customKeyForResult: 'items',
  })) {
    items.push(...chunk)
  }
  assert.deepEqual(items.map((item) => String(item.id)), ids)
  say(`${name}: reads ${paged.length} leads page by page, by callList and as items`)
}

async function batches(b24, name) {
  const ids = (await control('GET', 'leads')).map((lead) => lead.ID)
  const mixed = await b24.actions.v2.batch.make({
    calls: {
      list: { method: 'crm.lead.list', params: { start: -1, select: ['ID'] } },
      linked: { method: 'crm.lead.get', params: { id: '$result[list][1][ID]' } },
      // not crm.lead.get: the SDK takes its empty error code inside a batch for success
      gone: { method: 'crm.item.get', params: { entityTypeId: 1, id: 99999999 } },
      after: ['server.time', {}],
    },
    options: { isHaltOnError: false, returnAjaxResult: true },
  })
  const parts = mixed.getData()
  assert.equal(parts.linked.getData().result.ID, ids[1])
  assert.ok(!parts.gone.isSuccess)
  assert.match(parts.gone.getErrorMessages().join(), /Element not found/)
  assert.ok(parts.after.isSuccess)

  const calls = ids.slice(0, 120).map((id) => ['crm.lead.get', { id }])
  const chunked = await b24.actions.v2.batchByChunk.make({ calls, options: { isHaltOnError: true } })
  assert.ok(chunked.isSuccess, chunked.getErrorMessages().join('; '))
  assert.deepEqual(chunked.getData().map((lead) => lead.ID), ids.slice(0, 120))
  say(`${name}: batches with references, errors and ${calls.length} commands in chunks`)
}

async function write(b24, name) {
  const fields = { TITLE: 'Заявка "SDK" + 50% & \\ 👍', PHONE: [{ VALUE: '+7 (999) 123-45-67', VALUE_TYPE: 'MOBILE' }] }
  const added = await b24.actions.v2.call.make({ method: 'crm.lead.add', params: { fields } })
  const id = added.getData().result
  assert.equal(typeof id, 'number')
  const updated = await b24.actions.v2.call.make({ method: 'crm.lead.update', params: { id, fields: { STATUS_ID: 'IN_PROCESS' } } })
  assert.equal(updated.getData().result, true)
  const lead = (await b24.actions.v2.call.make({ method: 'crm.lead.get', params: { id } })).getData().result
  assert.deepEqual([lead.TITLE, lead.STATUS_ID, lead.PHONE[0].VALUE], [fields.TITLE, 'IN_PROCESS', fields.PHONE[0].VALUE])
  const deleted = await b24.actions.v2.call.make({ method: 'crm.lead.delete', params: { id } })
  assert.equal(deleted.getData().result, true)
  // the SDK drops the text of an error without a code; the status is what is left
  await assert.rejects(b24.actions.v2.call.make({ method: 'crm.lead.get', params: { id } }), (error) => error.status === 400)
  say(`${name}: adds, updates and deletes lead ${id}`)
}

async function survives503(b24, name) {
  await control('PUT', 'faults', { error_503: 1 })
  setTimeout(() => control('PUT', 'faults', { error_503: 0 }), 500)
  const answer = await b24.actions.v2.call.make({ method: 'profile', params: {} })
  assert.ok(answer.isSuccess)
  const { refusals } = await control('GET', 'stats')
  assert.ok(refusals.QUERY_LIMIT_EXCEEDED > 0)
  say(`${name}: survives ${refusals.QUERY_LIMIT_EXCEEDED} answers 503`)
}

// tokens goes through the log-in as a browser would and exchanges the code.
async function tokens() {
  const redirect = 'https://app.example.com/callback'
  await control('POST', 'install', { redirect_url: redirect })
  const login = await fetch(`${info.portal}/oauth/authorize/?client_id=${info.client_id}&state=s1`, { redirect: 'manual' })
  assert.equal(login.status, 302)
  const back = new URL(login.headers.get('location'))
  assert.equal(back.searchParams.get('state'), 's1')
  const query = new URLSearchParams({
    grant_type: 'authorization_code', client_id: info.client_id, client_secret: info.client_secret, code: back.searchParams.get('code'),
  })
  return (await fetch(`${info.oauth}/oauth/token/?${query}`)).json()
}

async function oauth() {
  const t = await tokens()
  const b24 = new B24OAuth({
    applicationToken: info.application_token, userId: t.user_id, memberId: t.member_id, accessToken: t.access_token,
    refreshToken: t.refresh_token, expires: t.expires, expiresIn: t.expires_in, scope: t.scope,
    domain: new URL(info.portal).host, clientEndpoint: t.client_endpoint, serverEndpoint: t.server_endpoint, status: t.status,
  }, { clientId: info.client_id, clientSecret: info.client_secret })
  b24.offClientSideWarning()
  let refreshes = 0
  b24.setCallbackRefreshAuth(async ({ b24OAuthParams }) => {
    refreshes++
    assert.notEqual(b24OAuthParams.refreshToken, t.refresh_token)
  })
  await b24.initIsAdmin()
  assert.equal(b24.auth.isAdmin, true)
  say('oauth: logs in, exchanges the code, is administrator')

  await control('POST', 'expire')
  const all = await Promise.all(Array.from({ length: 5 }, () => b24.actions.v2.call.make({ method: 'app.info', params: {} })))
  assert.ok(all.every((one) => one.isSuccess))
  assert.ok(refreshes >= 1) // the SDK refreshes again for a 401 that arrives after its first refresh ended
  say(`oauth: five calls survive a 401 with ${refreshes} refreshes`)
  return b24
}

const hook = B24Hook.fromWebhookUrl(info.webhook)
hook.offClientSideWarning()
for (const [name, b24] of [['webhook', hook], ['oauth', await oauth()]]) {
  await read(b24, name)
  await batches(b24, name)
  await write(b24, name)
  await control('PUT', 'clock', { advance: 60 }) // each client has a limiter of its own, the portal one for both
}
const before = await control('GET', 'stats')
assert.deepEqual(before.refusals, {}, "the SDK's limiters stay below the portal's limits")
say("the SDK's limiters:", Object.values(before.requests).reduce((a, b) => a + b), 'requests, none refused')
await survives503(hook, 'webhook')
