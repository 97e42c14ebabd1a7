"""Who must be told, who must not be, and by which route: pure functions over a directory.

Where each rule of the recipient rules lives, here or in the part of the gateway that carries it out:

====== =========================================================================================================
P0     `asking`, `documents` (is the question, is the directory admissible)
P1     `stages` (R43: ended, deceased, unenrolled)
R01-02 `restrictions`; by channel `routes`
R03    `gateway.dispatch.register` (an objection is a task)
R04    `restrictions` (scope is literal)
R05    `restrictions`; reminders in `gateway.dispatch.restriction_tasks`
R06    `restrictions`, `stages` (orders to send); R06a drafts: `restrictions`
R07    `entitlement` (who is a parent, by jurisdiction); R08 and R09 by what it does not look at
R10    `flags`, `entitlement`
R11    `entitlement` (emergency contacts)
R12    `audience` (all at once); the parity report: `parity`, `treatment`
R13    `entitlement`
R14    `consent`; answers in `gateway.dispatch.consent_answers`, tasks in `consent_tasks`, the page in `gateway.console`
R15-16 `adult`; objections in `flags`
R17-20 `care`
R21    `wishes`; contacts' own wishes on record: `gateway.store.wishes`
R22    `routes`
R23    `categories` (the table), `gateway.dispatch.chunks`, `gateway.dispatch.settling`
R24    `audience`; tasks in `gateway.dispatch.chunks` and `settling`; the report: `unreachable`
R25-26 `households`, `merging`; greetings in `gateway.dispatch.naming`
R27    `routes`
R28    `grouping`
R29-30 `routes`; neutral texts in `gateway.content.prepared`
R31    `ladder`; times in `gateway.dispatch.chunks`
R32    `quiet_hours`
R33-34 `gateway.dispatch.settling` and `receipts` (what providers teach of addresses)
R35    `placeholders` (what a template asks for); what it says: `disclosure`, `gateway.dispatch.template_check`
R36    `routes`; masking in `gateway.directory.masking`; imports in `gateway.directory.changes`
R37    `address_change`; written by `gateway.dispatch.address_notices`, narrowed in `gateway.dispatch.deciding`
R38    `disclosure`; held and released by `gateway.dispatch.disclosing` and `releasing`
R39    `bookings` (for the procedures: who shares an appointment, who sees what)
R40    `replies`; reply addresses in `gateway.access` and `gateway.dispatch.rendering`
R41    `gateway.content.policy`, `gateway.dispatch.identity_check`
R42    `entitlement`, `routes`
R44    `gateway.dispatch.rechecking` and `withdrawing`; links in `gateway.dispatch.documents`
R45    tasks in `gateway.dispatch.chunks` and `help_wanted`; who is paged when: `escalation`, pages in
       `gateway.dispatch.paging` and `pager`; holds that go: `gateway.dispatch.holds`; hints: `gateway.api.task_hints`
R46    `gateway.dispatch.deny_snapshots`
====== =========================================================================================================

The values marked [set] are the fields of `policy.Policy`. What a school sets otherwise is a `policy_document` that
`policy_faults` has let pass; `gateway.store.policies` keeps it, `GET` and `PUT /v1/policy` show and change it.
"""
