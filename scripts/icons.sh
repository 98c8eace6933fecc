#!/usr/bin/env bash
# Regenerates the icon set from the SVG sources in icons/. Needed only after a change of a drawing.
# Wants rsvg-convert (librsvg2-bin), and npx for the .icns file.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need_tool rsvg-convert "Install librsvg2-bin."
need_tool npx "Install Node.js 20 or newer."
cd "$FK_ROOT/icons"

png() { rsvg-convert --width "$2" --height "$2" --output "$3" "$1"; }
png forgekeeper.svg 16 16x16.png
png forgekeeper.svg 32 32x32.png
png forgekeeper.svg 128 128x128.png
png forgekeeper.svg 256 128x128@2x.png
png forgekeeper.svg 512 icon.png
for state in ok attention failing unknown; do
  png "tray-$state.svg" 32 "tray-$state-32.png"
  png "tray-$state.svg" 64 "tray-$state-64.png"
done

# Tauri's own tool writes the containers of Windows and macOS from the large picture.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
png forgekeeper.svg 1024 "$work/large.png"
(cd "$work" && npx --yes @tauri-apps/cli@2 icon large.png --output set >/dev/null)
cp "$work/set/icon.ico" "$work/set/icon.icns" .
say "Written: $(ls | tr '\n' ' ')"
