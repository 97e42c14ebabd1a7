"""What each rule's decision says to school staff: one plain sentence that names nobody and no address."""

from collections.abc import Mapping

from gateway.rules.answer import Outcome

REASONS: Mapping[tuple[Outcome, str], str] = {
    (Outcome.SEND, "P5"): "It concerns the contact's own account or bill.",
    (Outcome.SEND, "R06"): "An approved order requires the school to send this.",
    (Outcome.SEND, "R07"): "The contact counts as a parent of the student.",
    (Outcome.SEND, "R10e"): "The contact is no parent, but is marked to receive this.",
    (Outcome.SEND, "R11"): "The contact is an emergency contact and this is an alert.",
    (Outcome.SEND, "R13"): "The contact lives with the student, and general news is harmless.",
    (Outcome.SEND, "R15"): "The student decides who is told: it is the student, or the student has agreed.",
    (Outcome.SEND, "R16"): "The student is an adult, but the law or an emergency lets this contact be told.",
    (Outcome.SEND, "R17"): "The student is accommodated by agreement, and this carer or social worker is told as well.",
    (Outcome.SEND, "R18"): "Under the care order the social worker, the carer or the placement plan allows this.",
    (Outcome.SEND, "R19"): "Under emergency protection the social worker is told.",
    (Outcome.SEND, "R42"): "The professional was named for this message.",
    (Outcome.HOLD, "R05"): "A block has run out without review; a person must review it before anything is sent.",
    (Outcome.HOLD, "R06"): "An order to send meets a block or the care status; the head and a lawyer must decide.",
    (Outcome.HOLD, "R06a"): "A new block awaits its second approval; a person must decide about this message.",
    (Outcome.HOLD, "R10b"): "A flag stops a parent without the parent's own request; a person must clear it up.",
    (
        Outcome.HOLD,
        "R13",
    ): "The contact lives with the student, but parental responsibility is not recorded.",
    (Outcome.HOLD, "R16"): "The student objects to sharing sensitive matters; a person must decide.",
    (Outcome.HOLD, "R18"): "The student is under a care order and the placement plan says nothing of this contact yet.",
    (Outcome.HOLD, "R19"): "The student is under emergency protection; a person must decide.",
    (Outcome.HOLD, "R20"): "The student was adopted and this natural parent's responsibility is not recorded.",
    (
        Outcome.HOLD,
        "R29",
    ): "The only route is shared with someone of another household; a person must decide.",
    (Outcome.EXCLUDE, "P5"): "Somebody else pays the bills for this student.",
    (Outcome.EXCLUDE, "R01"): "An approved order, law or agreement blocks this.",
    (Outcome.EXCLUDE, "R02"): "The safeguarding lead has blocked this.",
    (Outcome.EXCLUDE, "R06a"): "A new block awaits its second approval and already stops personal messages.",
    (Outcome.EXCLUDE, "R07"): "The contact does not count as a parent of the student, and nothing else allows this.",
    (Outcome.EXCLUDE, "R10a"): "The parent asked not to receive messages that are not required by law.",
    (Outcome.EXCLUDE, "R10c"): "The contact is no parent, and a flag says not to send.",
    (Outcome.EXCLUDE, "R10e"): "The contact is no parent, and the flag covers general news and agreed categories only.",
    (
        Outcome.EXCLUDE,
        "R15",
    ): "The student decides who is told and has not agreed, or is not yet 18 and not named.",
    (Outcome.EXCLUDE, "R18"): "The placement plan does not share this with the contact.",
    (Outcome.EXCLUDE, "R20"): "The student was adopted, and this natural parent has no parental responsibility.",
    (Outcome.EXCLUDE, "R21"): "The contact has opted out of this, or has not opted in.",
    (Outcome.EXCLUDE, "R42"): "A professional is told only when named, and only in certain categories.",
    (Outcome.UNREACHABLE, "R24"): "The contact has no usable route for this; staff must reach the contact another way.",
    (Outcome.UNREACHABLE, "R30"): "Every route left is shared with somebody who may not be told; use another way.",
}
"""By outcome and rule; P1 has its own in `stages.Absence`."""
