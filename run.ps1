# Builds Forgekeeper and opens its window on Windows; installs what is missing first.
#   .\run.ps1            opens the window
#   .\run.ps1 --demo     opens it on the demo host: no Docker, no GPU needed
# Everything after .\run.ps1 is passed on. A second start builds nothing.
# If scripts are not allowed:  powershell -ExecutionPolicy Bypass -File .\run.ps1
$ErrorActionPreference = 'Stop'
Set-Location -LiteralPath $PSScriptRoot

function Test-Command([string] $Name) { $null -ne (Get-Command $Name -ErrorAction SilentlyContinue) }

# Programs run outside PowerShell's error handling; their exit code decides.
function Invoke-Checked([string] $What, [scriptblock] $Block) {
    & $Block
    if ($LASTEXITCODE -ne 0) { throw "$What failed with exit code $LASTEXITCODE" }
}

function Install-Missing([string] $Command, [string] $Package, [string] $Name) {
    if (Test-Command $Command) { return }
    if (-not (Test-Command 'winget')) { throw "$Name is missing. Install it, then run this again." }
    Write-Host "Installing $Name with winget ..."
    Invoke-Checked "winget install $Package" {
        winget install --id $Package --exact --accept-package-agreements --accept-source-agreements
    }
    $env:Path = [Environment]::GetEnvironmentVariable('Path', 'Machine') + ';' + [Environment]::GetEnvironmentVariable('Path', 'User')
    if (-not (Test-Command $Command)) { throw "$Name was installed; open a new terminal and run this again." }
}

Install-Missing 'cargo' 'Rustlang.Rustup' 'Rust'
Install-Missing 'npm' 'OpenJS.NodeJS.LTS' 'Node.js'

# The window is drawn by WebView2, part of Windows 11 and of an up-to-date Windows 10.
$webview = '{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}'
$found = @(
    "HKLM:\SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate\Clients\$webview",
    "HKLM:\SOFTWARE\Microsoft\EdgeUpdate\Clients\$webview",
    "HKCU:\Software\Microsoft\EdgeUpdate\Clients\$webview"
) | Where-Object { Test-Path $_ }
if (-not $found) {
    if (-not (Test-Command 'winget')) {
        throw 'The WebView2 runtime is missing. Install it from https://developer.microsoft.com/microsoft-edge/webview2/'
    }
    Write-Host 'Installing the WebView2 runtime ...'
    Invoke-Checked 'winget install Microsoft.EdgeWebView2Runtime' {
        winget install --id Microsoft.EdgeWebView2Runtime --exact --accept-package-agreements --accept-source-agreements
    }
}

# npm packages, when the lock file changed since the last time.
$stamp = 'ui\node_modules\.forgekeeper-lock'
$sum = (Get-FileHash -Algorithm SHA256 'ui\package-lock.json').Hash.ToLowerInvariant()
if (-not ((Test-Path $stamp) -and ((Get-Content -Raw $stamp).Trim() -eq $sum))) {
    Write-Host 'Installing the npm packages of ui (first time or after a change, about a minute) ...'
    Push-Location ui
    try { Invoke-Checked 'npm ci' { npm ci --no-fund --no-audit } } finally { Pop-Location }
    Set-Content -Path $stamp -Value $sum -Encoding ascii
}

# Pages, when a source is newer than what was built.
$index = 'ui\dist\index.html'
$stale = $true
if (Test-Path $index) {
    $built = (Get-Item $index).LastWriteTimeUtc
    $sources = Get-ChildItem ui -File
    foreach ($folder in 'ui\src', 'ui\messages', 'ui\public') {
        if (Test-Path $folder) { $sources += Get-ChildItem $folder -File -Recurse }
    }
    $stale = $null -ne ($sources | Where-Object { $_.LastWriteTimeUtc -gt $built } | Select-Object -First 1)
}
if ($stale) {
    Write-Host "Building the window's pages ..."
    Push-Location ui
    try { Invoke-Checked 'npm run build' { npm run build } } finally { Pop-Location }
    (Get-Item $index).LastWriteTimeUtc = [DateTime]::UtcNow
}

$target = if ($env:CARGO_TARGET_DIR) { $env:CARGO_TARGET_DIR } else { 'target' }
$program = Join-Path $target 'release\forgekeeper.exe'
if (-not (Test-Path $program)) {
    Write-Host 'Building Forgekeeper. The first time this takes about 5 to 15 minutes, later ones seconds.'
}
Invoke-Checked 'cargo build' { cargo build --locked --release --package forgekeeper --bin forgekeeper }
Write-Host 'Opening the window ...'
& $program @args
exit $LASTEXITCODE
