"""The style sheet of the heat map: map and legend side by side, one above the other on a phone, one sheet in print."""

HEAT_STYLE = """
:root { --ink: #1f2326; --soft: #5a6066; --line: #dcd9d2; --paper: #fff; --ground: #f3f2ee; }
* { box-sizing: border-box; }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; color: var(--ink); background: var(--paper); font: 14px/1.5
  "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", system-ui, sans-serif;
  -webkit-text-size-adjust: 100%; }
.en { color: var(--soft); font-size: .86em; }
bdi { overflow-wrap: anywhere; }
.shape { width: 1.15em; height: 1.15em; flex: none; display: inline-block; vertical-align: -.2em; overflow: visible; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 20px; padding: 10px 18px;
  border-bottom: 1px solid var(--line); }
header h1 { margin: 0; font-size: 19px; line-height: 1.35; overflow-wrap: anywhere; }
header p { margin: 0; font-variant-numeric: tabular-nums; }
.synthetic { padding: 6px 18px; background: #2b2118; color: #ffe08a; }
.synthetic b { letter-spacing: .06em; }
.synthetic .en { color: #f1d9a6; }
.notice { padding: 8px 18px; background: #eceae4; border-bottom: 1px solid var(--line); }
.notice .shape { margin-right: 4px; }
.synthetic p, .notice p { margin: 0; }
main { flex: 1; min-height: 0; display: flex; }
.stage { position: relative; flex: 1; min-width: 0; }
.map { position: absolute; inset: 0; background: var(--ground); font: inherit; }
.stamp { position: absolute; z-index: 900; right: 8px; bottom: 8px; padding: 1px 8px; pointer-events: none;
  background: rgba(43, 33, 24, .86); color: #ffe08a; font-size: 12px; letter-spacing: .04em; }
.empty { position: absolute; z-index: 900; left: 50%; top: 42%; transform: translate(-50%, -50%);
  width: min(440px, 86%); padding: 20px 26px; background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; box-shadow: 0 6px 24px rgba(0, 0, 0, .1); }
.empty h2 { margin: 0 0 8px; font-size: 18px; }
.empty p { margin: 6px 0 0; }
aside { width: 372px; flex: none; overflow-y: auto; padding: 12px 18px 20px; border-left: 1px solid var(--line); }
aside h2 { margin: 18px 0 6px; font-size: 15px; }
aside section:first-child h2 { margin-top: 0; }
aside p { margin: 6px 0; }
.key { width: 100%; border-collapse: collapse; }
.key td, .key th { padding: 5px 0; vertical-align: top; border-top: 1px solid #eeece7; text-align: left;
  font-weight: normal; }
.key tr:first-child > * { border-top: 0; }
.key .sign { width: 30px; font-size: 16px; padding-top: 3px; }
.key .site { display: block; padding-top: 2px; }
.key .site span { display: block; }
.key .word { width: 76px; padding-right: 8px; }
.key .word .en { display: block; line-height: 1.25; }
.key .what .en { display: block; line-height: 1.35; }
.key .n { width: 44px; text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
.key tfoot td { border-top: 1px solid var(--ink); }
.swatch { display: block; width: 20px; height: 18px; }
.method { margin: 0; display: grid; grid-template-columns: 112px 1fr; gap: 4px 10px; }
.method dt .en { display: block; line-height: 1.2; }
.method dd { margin: 0; overflow-wrap: anywhere; }
.method dd .en { display: block; line-height: 1.35; }
.first { list-style: none; margin: 0; padding: 0; }
.first button { display: flex; align-items: center; gap: 8px; width: 100%; padding: 6px 6px; border: 0;
  border-radius: 4px; background: none; color: inherit; font: inherit; text-align: left; cursor: pointer; }
.first button:hover { background: #f1efe9; }
.first .name { flex: 1; min-width: 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.first .points { color: var(--soft); font-variant-numeric: tabular-nums; }
.credit { color: var(--soft); font-size: 12px; }
:focus-visible { outline: 3px solid #1a66c2; outline-offset: 1px; }
.venue, .site { display: flex; align-items: center; justify-content: center; }
.venue .shape { filter: drop-shadow(0 0 1.5px #fff) drop-shadow(0 0 1px #fff); vertical-align: 0; }
.venue:focus-visible, .site:focus-visible { border-radius: 50%; z-index: 99999 !important; }
.site span { width: 19px; height: 19px; border-radius: 4px; background: #20507a; color: #fff; font-size: 12px;
  line-height: 19px; text-align: center; box-shadow: 0 0 0 1.5px #fff; }
[data-detail=middle] .venue .shape { scale: .86; }
[data-detail=low] .venue .shape { scale: .7; }
[data-detail=low] :is(.venue-green, .venue-unknown) .shape { scale: .42; }
[data-detail=low] .site span { scale: .7; }
.leaflet-control-layers { color: inherit; border-radius: 6px !important; }
.leaflet-control-layers .leaflet-control-layers-toggle { width: auto; height: auto; padding: 5px 12px; background: none;
  color: inherit; text-decoration: none; }
.leaflet-control-layers-toggle::before { content: "图层 Layers ▾"; }
.leaflet-control-layers-expanded { padding: 8px 12px 8px 10px; line-height: 1.75; }
.leaflet-control-layers label { font-size: 13px; }
.leaflet-control-layers label > span { display: flex; align-items: center; gap: 4px; }
.leaflet-control-layers label > span > span { display: inline-flex; align-items: center; gap: 5px; }
.leaflet-popup-content { margin: 12px 16px 12px; line-height: 1.45; font-size: 13.5px; }
.leaflet-popup-content p { margin: 4px 0; }
.card h2 { margin: 0 18px 4px 0; font-size: 16px; line-height: 1.35; }
.card h3 { margin: 10px 0 2px; font-size: 13.5px; }
.card .level { display: flex; align-items: center; gap: 6px; font-size: 15px; }
.card .facts { display: grid; grid-template-columns: auto 1fr; gap: 1px 12px; margin: 6px 0; }
.card .facts dt .en { margin-left: 5px; }
.card .facts dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.card .reasons { list-style: none; margin: 0; padding: 0; }
.card .reasons li { padding: 4px 0 4px 8px; border-left: 3px solid var(--line); margin-top: 5px; }
.card .reasons time { display: block; font-weight: 600; font-variant-numeric: tabular-nums; }
.card .reasons .en { display: block; line-height: 1.35; }
.card .source { color: var(--soft); font-size: 12px; overflow-wrap: anywhere; margin-top: 8px; }
.card .caution { font-size: 12px; margin: 0; }
.hatch { position: absolute; width: 0; height: 0; }
@media (max-width: 760px) {
  .map:has(.leaflet-popup) .leaflet-top { display: none; }
  html, body { height: auto; }
  body { display: block; }
  header, .synthetic, .notice { padding-left: 14px; padding-right: 14px; }
  header h1 { font-size: 17px; }
  main { display: block; }
  .stage { height: 62vh; min-height: 340px; }
  aside { width: auto; padding: 14px 14px 32px; border-left: 0; border-top: 1px solid var(--line); }
}
@page { size: A4 landscape; margin: 10mm; }
@media print {
  html, body { height: auto; }
  body { display: block; font-size: 10.5px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  header, .synthetic, .notice { padding-left: 0; padding-right: 0; }
  .synthetic { padding-left: 8px; }
  header h1 { font-size: 15px; }
  main { display: flex; }
  aside { width: 80mm; border: 0; padding: 6px 0 0 5mm; overflow: visible; font-size: 9px; line-height: 1.35; }
  aside h2 { font-size: 10.5px; margin: 9px 0 2px; }
  .key td, .key th { padding: 2px 0; }
  .key .sign { width: 20px; font-size: 12px; padding-top: 2px; }
  .key .word { width: 54px; }
  .key .n { width: 26px; }
  .method { grid-template-columns: 58px 1fr; gap: 2px 6px; }
  .swatch { width: 14px; height: 12px; }
  .key .site span { width: 14px; height: 14px; line-height: 14px; font-size: 9px; border-radius: 3px; }
  .credit { font-size: 8px; }
  .leaflet-control-zoom, .leaflet-control-layers, .first-section { display: none !important; }
}
.printing main { display: flex; }
.printing .stage { flex: none; width: 196mm; height: 168mm; min-height: 0; }
"""
