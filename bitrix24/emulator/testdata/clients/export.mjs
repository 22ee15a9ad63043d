// Bitrix24's own SDK reads every lead of a portal in its fastest way, within its own limits. The
// argument is a file with the line that `leadsync emulator --json` prints.
import { readFileSync } from 'node:fs'
import { B24Hook } from '@bitrix24/b24jssdk'

const info = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const hook = B24Hook.fromWebhookUrl(info.webhook)
hook.offClientSideWarning()
const select = ['*', 'UF_*', 'PHONE', 'EMAIL', 'WEB', 'IM', 'LINK']
let leads = 0
for await (const chunk of hook.actions.v2.fetchList.make({ method: 'crm.lead.list', params: { select }, idKey: 'ID' })) {
  leads += chunk.length
}
console.log(leads)
