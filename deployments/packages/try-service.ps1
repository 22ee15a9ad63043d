# Installs, starts, feeds and stops the Windows service. Needs administrator's rights and a built leadsync.exe,
# its only argument. For a machine that is thrown away afterwards: the workflow's.
param([Parameter(Mandatory)][string]$Binary)
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true
$root = Join-Path $env:ProgramData 'leadsync'
$leadsync = 'C:\Program Files\leadsync\leadsync.exe'

function Wait-Until([string]$what, [scriptblock]$test) {
    foreach ($try in 1..120) {
        try { if (& $test) { return } } catch { Write-Host "  $_" }
        Start-Sleep -Milliseconds 500
    }
    Get-Content (Join-Path $root 'logs\leadsync.log') -Tail 20 -ErrorAction SilentlyContinue
    throw "$what did not happen within a minute"
}

Write-Host '== install'
New-Item -ItemType Directory -Force (Split-Path $leadsync) | Out-Null
Copy-Item $Binary $leadsync
& $leadsync service install

Write-Host '== only administrators, the system and the service may read'
foreach ($place in $root, (Join-Path $root 'data'), (Join-Path $root 'logs')) {
    $who = (Get-Acl $place).Access.IdentityReference.Value | Sort-Object -Unique
    $want = 'BUILTIN\Administrators', 'NT AUTHORITY\SYSTEM', 'NT SERVICE\leadsync'
    if (Compare-Object $who $want) { throw "$place is open to $($who -join ', '), want $($want -join ', ')" }
}

Write-Host '== a start without settings fails and says why'
$PSNativeCommandUseErrorActionPreference = $false
& $leadsync service start
if ($LASTEXITCODE -eq 0) { throw 'a service without settings runs' }
$PSNativeCommandUseErrorActionPreference = $true
$event = Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'leadsync'; Level = 2 } -MaxEvents 1
if ($event.Message -notmatch 'leadsync.env') { throw "the event log says: $($event.Message)" }
Stop-Service leadsync -ErrorAction SilentlyContinue # the service manager may be starting it again

Write-Host '== an emulated portal, settings, start'
$emulator = Start-Process $leadsync -ArgumentList '--config none emulator --leads 50' -PassThru -RedirectStandardOutput emulator.log -RedirectStandardError emulator.err
Wait-Until 'the emulator' { (Invoke-RestMethod http://127.0.0.1:8924/_portal/info).portal }
$portal = Invoke-RestMethod http://127.0.0.1:8924/_portal/info
@(
    "LEADSYNC_DATA_DIR=$root\data"
    'LEADSYNC_HTTP_ADDR=127.0.0.1:8080'
    'LEADSYNC_PUBLIC_URL=http://127.0.0.1:8080'
    "LEADSYNC_B24_INSECURE_HOSTS=$(([uri]$portal.portal).Authority),$(([uri]$portal.oauth).Authority)"
    "LEADSYNC_B24_CLIENT_ID=$($portal.client_id)"
    "LEADSYNC_B24_CLIENT_SECRET=$($portal.client_secret)"
) | Set-Content (Join-Path $root 'leadsync.env')
& $leadsync service start
& $leadsync service status

Write-Host '== feed'
Wait-Until 'taking callbacks' { (Invoke-WebRequest http://127.0.0.1:8080/healthz).StatusCode -eq 200 }
Invoke-RestMethod -Method Post http://127.0.0.1:8924/_portal/install -Body '{"events_url":"http://127.0.0.1:8080/bitrix24/events"}' | Out-Null
Wait-Until 'the import' { Invoke-RestMethod "http://127.0.0.1:8081/api/v1/leads/$($portal.member_id)/50"; $true }
Invoke-RestMethod -Method Patch http://127.0.0.1:8924/_portal/leads/50 -Body '{"fields":{"TITLE":"changed on Windows"}}' | Out-Null
Wait-Until 'the change' { (Invoke-RestMethod "http://127.0.0.1:8081/api/v1/leads/$($portal.member_id)/50" | ConvertTo-Json -Depth 9) -match 'changed on Windows' }

Write-Host '== stop'
$before = Get-Date
& $leadsync service stop
Write-Host "  took $(((Get-Date) - $before).TotalSeconds) s"
if ((Get-Service leadsync).Status -ne 'Stopped') { throw 'the service has not stopped' }
if (-not (Get-Content (Join-Path $root 'logs\leadsync.log') -TotalCount 1)) { throw 'there is no log' }
if (-not (Test-Path (Join-Path $root 'data\leadsync.db'))) { throw 'there is no database' }
Start-Sleep -Seconds 10
if ((Get-Service leadsync).Status -ne 'Stopped') { throw 'the service manager started it again after a stop' }

Write-Host '== uninstall'
& $leadsync service uninstall
if (Get-Service leadsync -ErrorAction SilentlyContinue) { throw 'the service is still registered' }
if (-not (Test-Path (Join-Path $root 'data\leadsync.db'))) { throw 'the data are gone' }
Stop-Process $emulator
Write-Host '== everything as it should be'
