"""The one stylesheet of the pages for parents, and the policy under which browsers show them.

WCAG 2.2 AA: text keeps at least 7:1 against its ground, controls are 44 pixels or higher, focus is drawn in two
colours, everything follows the reader's own text size and direction. For Urdu a font without Arabic letters comes
first: the numerals, full stops and spaces of Nastaliq fonts are too tight for English words.
"""

import base64
import hashlib

STYLESHEET = """
*{box-sizing:border-box}
html{font-size:100%;color:#1a1a1a;background:#fff}
html.large{font-size:133%}
html.larger{font-size:167%}
body{margin:0;font-family:'Noto Sans',Arial,'Noto Sans Arabic','Noto Sans Bengali','Noto Sans SC',sans-serif;
line-height:1.5;overflow-wrap:break-word}
:lang(ur){font-family:'Noto Sans',Roboto,'Helvetica Neue','Noto Nastaliq Urdu','Noto Sans Arabic',Arial,sans-serif;
line-height:2.2}
:lang(ar),:lang(fa),:lang(ps),:lang(ckb){font-family:'Noto Sans Arabic',Arial,sans-serif;line-height:1.7}
header,main{max-width:40rem;margin:0 auto;padding:1rem}
header{border-block-end:.25rem solid #0b4f9e;font-weight:bold}
h1{font-size:1.5rem;line-height:1.3;margin:.5rem 0 1rem}
:lang(ur) h1,h1:lang(ur){line-height:2}
p{margin:0 0 1rem}
a{color:#0b4f9e}
fieldset{border:0;margin:0 0 1.5rem;padding:0;min-inline-size:0}
legend,label{font-weight:bold;padding:0}
label{display:block;margin:0 0 .25rem}
.hint{color:#454545;margin:.25rem 0 .75rem}
.parts{display:flex;flex-wrap:wrap;gap:1rem}
input{font:inherit;line-height:1.5;inline-size:4.5rem;min-block-size:2.75rem;padding:.25rem .5rem;
border:2px solid #1a1a1a;border-radius:0;background:#fff;color:inherit}
input.year{inline-size:6rem}
input.postcode{inline-size:10rem;max-inline-size:100%}
.field{margin:0 0 1.5rem}
.answer{border-block-start:1px solid #767676;padding-block-start:1rem;margin-block-start:1.5rem}
.answer fieldset fieldset{margin:0 0 .5rem}
.choice{display:flex;align-items:center;gap:.75rem;font-weight:normal;min-block-size:2.75rem;margin:0}
.choice input{flex:none;inline-size:1.5rem;min-block-size:1.5rem;margin:0}
.done{border:.25rem solid #0b6623;padding:1rem;margin:0 0 1.5rem}
.done p:last-child{margin:0}
.wrong{border:.25rem solid #a3160c;padding:1rem;margin:0 0 1.5rem}
.wrong a{color:#a3160c;font-weight:bold}
.wrong~form input{border-color:#a3160c}
button{font:inherit;font-weight:bold;line-height:1.5;min-block-size:2.75rem;padding:.5rem 1.25rem;
border:2px solid #0b4f9e;border-radius:.25rem;background:#0b4f9e;color:#fff;cursor:pointer}
button:hover{background:#083b77}
:focus-visible{outline:3px solid #1a1a1a;outline-offset:2px;box-shadow:0 0 0 8px #ffdd00}
@media print{header{border:0}}
""".strip()

_HASH = base64.b64encode(hashlib.sha256(STYLESHEET.encode()).digest()).decode()

# The document's own text is styled by attributes, as mail programs need it; nothing a school enters becomes one.
CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; style-src-attr 'unsafe-inline'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
