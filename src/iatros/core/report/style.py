"""The one look of every report: colours that survive colour blindness and grey print, and the style sheet."""

from __future__ import annotations

INK = "#1b2733"
MUTED = "#5a6876"
RULE = "#d6dde3"
FAINT = "#f2f5f7"
GREY = "#8a97a4"
BLUE = "#1d5f98"
ORANGE = "#c75b12"
GREEN = "#2c7a5b"
RED = "#a62b26"
SERIES = (BLUE, ORANGE, GREEN, "#7a5299", "#a98300", "#3c98bd", "#98385a", "#4d5b28")
"""Colours of series in order; charts also tell series apart by dashes and by name."""

SHEET = """
:root{--ink:#1b2733;--muted:#5a6876;--rule:#d6dde3;--faint:#f2f5f7;--blue:#1d5f98;--orange:#a84a0b;--green:#236a4d;
--red:#a62b26}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;background:#fff;color:var(--ink);font:15px/1.55 "Inter","Helvetica Neue",Helvetica,Arial,
"Liberation Sans","Noto Sans","PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
a{color:var(--blue);text-decoration:none}a:hover{text-decoration:underline}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:#fff;padding:6px 10px;z-index:2}
.page{display:grid;grid-template-columns:212px minmax(0,840px);gap:0 40px;justify-content:center;padding:0 24px}
nav{position:sticky;top:0;align-self:start;max-height:100vh;overflow:auto;padding:40px 0 24px;font-size:13px;
line-height:1.35}
nav strong{display:block;font-size:11px;letter-spacing:.08em;text-transform:uppercase;color:var(--muted);margin:0 0 8px}
nav ol{list-style:none;margin:0;padding:0;border-left:1px solid var(--rule)}
nav a{display:block;padding:4px 0 4px 12px;color:var(--muted)}
nav a:hover{color:var(--blue);text-decoration:none;box-shadow:-2px 0 0 var(--blue)}
main{padding:36px 0 64px;min-width:0}
header{border-top:4px solid var(--blue);padding:18px 0 0}
.kicker{font-size:12px;letter-spacing:.08em;text-transform:uppercase;color:var(--muted);margin:0 0 6px}
h1{font-size:29px;line-height:1.2;font-weight:650;letter-spacing:-.012em;margin:0 0 8px;overflow-wrap:anywhere}
.subtitle{font-size:17px;line-height:1.45;color:var(--muted);margin:0 0 14px;overflow-wrap:anywhere}
.banner{max-width:none;border:1px solid #e6c9b0;background:#fdf6ef;color:#6f3508;padding:8px 12px;
font-size:13.5px;margin:14px 0 18px;border-radius:3px}
section{margin:44px 0 0;padding-top:14px;border-top:1px solid var(--rule);scroll-margin-top:8px}
.section-head{display:flex;align-items:baseline;gap:12px;justify-content:space-between}
h2{font-size:20px;line-height:1.3;font-weight:640;letter-spacing:-.008em;margin:0 0 6px}
h2 .no{color:var(--blue);font-weight:500;margin-right:10px;font-variant-numeric:tabular-nums}
h3{font-size:15.5px;font-weight:640;margin:26px 0 6px}
.refs{font-size:11.5px;color:var(--muted);white-space:nowrap}
p{margin:8px 0;max-width:82ch;overflow-wrap:anywhere}
p.lead{color:var(--muted);font-size:14px;max-width:none}p.small{font-size:13px;color:var(--muted)}
.numbers{display:grid;grid-template-columns:repeat(auto-fit,minmax(146px,1fr));gap:0;margin:18px 0;
border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
.numbers>div{padding:12px 12px 12px 14px;border-left:1px solid var(--rule)}
.numbers>div:first-child{border-left:0;padding-left:0}
.numbers dt{font-size:12.5px;color:var(--muted);line-height:1.3}
.numbers dd{margin:2px 0 0;font-size:25px;line-height:1.2;font-weight:620;letter-spacing:-.015em;
font-variant-numeric:tabular-nums}
.numbers dd.ci{font-size:12.5px;font-weight:400;color:var(--muted);letter-spacing:0;white-space:nowrap}
.numbers dd.how{font-size:11.5px;font-weight:400;color:var(--muted);letter-spacing:0;line-height:1.35}
dl.facts{display:grid;grid-template-columns:minmax(120px,max-content) 1fr;gap:3px 18px;margin:12px 0;font-size:14px}
dl.facts dt{color:var(--muted)}dl.facts dd{margin:0;overflow-wrap:anywhere}
ul.findings{list-style:none;padding:0;margin:12px 0}
ul.findings li{display:grid;grid-template-columns:74px 1fr;gap:10px;align-items:baseline;padding:5px 0;
border-bottom:1px solid var(--faint);font-size:14px;overflow-wrap:anywhere}
.tag{display:inline-block;font-size:11.5px;line-height:1.35;padding:1px 7px;border-radius:9px;border:1px solid;
white-space:nowrap;text-align:center;background:#fff}
.tag.good{color:var(--green);border-color:#a9cdbd}.tag.watch{color:var(--orange);border-color:#e3bf9d}
.tag.bad{color:var(--red);background:#fcefee;border-color:#dba9a6}.tag.neutral{color:var(--muted);border-color:var(--rule)}
.note{border-left:3px solid var(--blue);background:var(--faint);padding:8px 14px;margin:12px 0;font-size:14px;
overflow-wrap:anywhere}
.note.warning{border-color:#c75b12;background:#fdf6ef}.note.absent{border-color:#b5bfc9;color:var(--muted)}
.scroll{overflow-x:auto;margin:12px 0 18px}
table{border-collapse:collapse;width:100%;font-size:13.5px;line-height:1.4;font-variant-numeric:tabular-nums}
table.compact{font-size:12.5px}
caption{text-align:left;font-weight:620;font-size:14px;padding:0 0 7px}
thead th{font-weight:600;font-size:12.5px;color:var(--muted);vertical-align:bottom;border-top:1.5px solid var(--ink);
border-bottom:1px solid var(--ink)}
th,td{text-align:left;padding:5px 10px 5px 0;vertical-align:top;unicode-bidi:isolate}
.any{overflow-wrap:anywhere}
th:first-child{min-width:5.6em}
th:last-child,td:last-child{padding-right:2px}
tbody tr{border-bottom:1px solid #e9edf1}tbody tr:last-child{border-bottom:1.5px solid var(--ink)}
th.right,td.right{text-align:right}
th.right+th:not(.right),td.right+td:not(.right){padding-left:14px}
tbody th{font-weight:400}tr.strong th,tr.strong td{font-weight:620}
tr.heading th{font-weight:620;padding-top:10px}
.in1{padding-left:16px}
.ci{color:var(--muted);white-space:nowrap}.stacked td .ci{display:block;font-size:.88em;line-height:1.3;font-weight:400}
td .est{white-space:nowrap}
.foot{font-size:12.5px;color:var(--muted);margin:-10px 0 18px;max-width:none}
.grid{display:grid;gap:8px 28px;margin:10px 0}
.grid.c2{grid-template-columns:repeat(2,minmax(0,1fr))}.grid.c3{grid-template-columns:repeat(3,minmax(0,1fr))}
.grid.c4{grid-template-columns:repeat(4,minmax(0,1fr));gap:8px 16px}
figure{margin:14px 0 18px;min-width:0}
.grid>div{min-width:0}.grid figure,.grid .scroll{margin:6px 0}.grid .foot{margin-top:4px}
figure .figure-title{font-weight:620;font-size:14px;margin:0 0 4px;overflow-wrap:anywhere}
figure img{display:block;max-width:100%;height:auto;background:#000;border-radius:2px}
figure img.pixels{image-rendering:pixelated}figure img.drawing{background:#fff}
figure svg{display:block;width:100%;height:auto;font-size:12px}
figcaption{font-size:12.5px;color:var(--muted);margin-top:4px;line-height:1.45;overflow-wrap:anywhere}
details{font-size:12.5px;margin-top:4px}summary{cursor:pointer;color:var(--blue)}
details .scroll{max-height:320px;overflow:auto;margin:6px 0}
pre{font:12px/1.5 ui-monospace,"SFMono-Regular",Menlo,Consolas,"Liberation Mono",monospace;background:var(--faint);
padding:12px 14px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;border-radius:3px;margin:10px 0}
footer{margin-top:48px;border-top:1px solid var(--rule);padding-top:12px;font-size:12.5px;color:var(--muted)}
@media(max-width:1000px){.page{grid-template-columns:minmax(0,840px)}nav{display:none}}
@media(max-width:640px){.grid.c2,.grid.c3{grid-template-columns:1fr}
.grid.c4{grid-template-columns:repeat(2,minmax(0,1fr))}.page{padding:0 14px}.section-head{display:block}}
@page{size:A4;margin:16mm 15mm 17mm;@bottom-right{content:counter(page) " / " counter(pages);font:8pt sans-serif;
color:#5a6876}@bottom-left{content:"iatros: research software, not a medical device";font:8pt sans-serif;color:#5a6876}}
@media print{
body{font-size:9.6pt;line-height:1.42}.page{display:block;padding:0}nav,.skip,details{display:none}main{padding:0}
a{color:inherit}h1{font-size:19pt}h2{font-size:13pt}h3{font-size:10.5pt}.subtitle{font-size:11pt}
section{margin-top:20pt;padding-top:8pt}.scroll{overflow:visible}
h2,h3,.section-head,caption,.figure-title,p.lead,p.small{break-after:avoid}
p{orphans:3;widows:3}p.lead{break-inside:avoid;font-size:9pt}
figure,tr,.note,.numbers,li,dl.facts,.banner,.grid{break-inside:avoid}.grid.c3,.grid.c4{break-inside:auto}
.short{break-inside:avoid}thead{display:table-header-group}
table{font-size:8.4pt}table.compact{font-size:7.6pt}thead th{font-size:7.8pt}th,td{padding:2.6pt 6pt 2.6pt 0}
.numbers dd{font-size:15pt}.numbers dd.ci,.numbers dt{font-size:8pt}.numbers dd.how{font-size:7.4pt}
.numbers{grid-template-columns:repeat(auto-fit,minmax(96px,1fr))}.numbers>div{padding:7pt 6pt 7pt 8pt}
pre{font-size:7.4pt}figcaption,.foot,p.small{font-size:8.2pt}
ul.findings li,dl.facts,.note,.banner{font-size:9pt}}
"""
