# The two commands on Windows: ./make.ps1 talk and ./make.ps1 test. See the Makefile for the others.
param(
    [Parameter(Mandatory = $true)]
    [ValidateSet("talk", "test", "tavern")]
    [string]$Command,
    [string]$Python = "python"
)
$ErrorActionPreference = "Stop"
Set-Location $PSScriptRoot

$Extras = @{ talk = ""; tavern = "samples"; test = "dev,bundle,metrics,hub,train,samples" }[$Command]
$Stamp = ".venv/$Command.stamp"
if (-not (Test-Path $Stamp)) {
    & $Python runtime/bootstrap.py --extras $Extras --stamp $Stamp
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
switch ($Command) {
    "talk" { & .venv/Scripts/townsfolk.exe talk }
    "tavern" { & .venv/Scripts/python.exe samples/python/tavern.py }
    "test" { & .venv/Scripts/python.exe -m pytest -n auto --dist loadfile --no-loadscope-reorder }
}
exit $LASTEXITCODE
