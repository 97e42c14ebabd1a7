"""The families that show a rule at work; their ids are stable, and README.md beside this file lists them."""

from typing import Any

from gateway.sample.roll import Adult, Child, Roll

_RESPONSIBLE = {"naturalParent": "true", "parentalResponsibility": "true", "emergencyContact": "true"}
MOTHER = {**_RESPONSIBLE, "relation": "mother", "livesWith": "true", "careOfChild": "true", "contactPriority": "1"}
FATHER = {**_RESPONSIBLE, "relation": "father", "livesWith": "true", "careOfChild": "true", "contactPriority": "2"}
FATHER_ELSEWHERE = {**_RESPONSIBLE, "relation": "father", "livesWith": "false", "contactPriority": "2"}
GRANDPARENT = {"relation": "grandparent", "parentalResponsibility": "false", "emergencyContact": "true"}
HELPER = {"contactPriority": "3"}


class Families:
    """Enters the special families; each method is one case."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll
        self._homes = 0

    def enter_all(self) -> None:
        """Enter every case, in an order that never changes."""
        for case in (
            self._together_apart_and_siblings,
            self._barred_and_draft,
            self._in_care,
            self._grandparents,
            self._post_only,
            self._hard_to_reach,
            self._formats,
            self._abroad_and_staff,
            self._shared_points,
            self._adult_student,
            self._new_partners,
            self._refuge,
            self._flags,
            self._mistakes,
        ):
            case()

    def _child(self, case: str, given: str, family: str, class_: str, born: str = "") -> Child:
        year = int(class_[:-1])
        return Child(id=f"s-{case}", given=given, family=family, class_=class_, born=born or f"{2022 - year}-03-14")

    def _adult(self, case: str, title: str, given: str, family: str, **details: str) -> Adult:
        """Make a contact with mailbox, mobile and postal address of their own, unless details say otherwise."""
        settings: dict[str, Any] = {
            "email": self._roll.mailbox(given, family),
            "sms": self._roll.mobile(),
            "household": self._home(),
            **details,
        }
        return Adult(id=f"c-{case}", title=title, given=given, family=family, address=self._roll.house(), **settings)

    def _home(self) -> str:
        self._homes += 1
        return f"h-special-{self._homes:02}"

    def _joined(self, one: Adult, other: Adult) -> tuple[Adult, Adult]:
        other.household, other.address = one.household, one.address
        return one, other

    def _together_apart_and_siblings(self) -> None:
        mother = self._adult("apart-mother", "Ms", "Nicola", "Brierley")
        father = self._adult("apart-father", "Mr", "Gareth", "Brierley", language="cy")
        self._roll.enter(self._child("apart", "Seren", "Brierley", "8A"), (mother, MOTHER), (father, FATHER_ELSEWHERE))
        mother, father = self._joined(
            self._adult("siblings-mother", "Mrs", "Hodan", "Warsame", language="so"),
            self._adult("siblings-father", "Mr", "Liban", "Warsame", language="so", interpreter="true"),
        )
        for number, (given, class_) in enumerate((("Ayaan", "7B"), ("Hibaq", "9A"), ("Sahra", "11C")), start=1):
            child = self._child(f"sibling-{number}", given, "Warsame", class_)
            self._roll.enter(child, (mother, MOTHER), (father, FATHER))

    def _barred_and_draft(self) -> None:
        barred = {
            **FATHER_ELSEWHERE,
            "emergencyContact": "false",
            "correspondence": "no",
            "correspondenceReason": f"restriction:{ORDER}",
            "reports": "no",
            "reportsReason": f"restriction:{ORDER}",
            "restrictionRef": ORDER,
        }
        self._roll.enter(
            self._child("barred", "Ana", "Duarte", "7A"),
            (self._adult("barred-mother", "Ms", "Inês", "Matias", language="pt-PT"), MOTHER),
            (self._adult("barred", "Mr", "Rui", "Duarte", language="pt-PT"), barred),
            (self._adult("barred-gran", "Mrs", "Teresa", "Matias", language="pt-PT"), {**GRANDPARENT, **HELPER}),
        )
        self._roll.enter(
            self._child("draft", "Filip", "Sikora", "8B"),
            (self._adult("draft-mother", "Pani", "Ewa", "Sikora", language="pl"), MOTHER),
            (
                self._adult("draft-father", "Pan", "Marcin", "Sikora", language="pl"),
                {**FATHER_ELSEWHERE, "restrictionRef": DRAFT},
            ),
        )

    def _in_care(self) -> None:
        child = self._child("care", "Jasmine", "Lomax", "9B")
        child.care = "care_order"
        worker = self._adult("social-worker", "Ms", "Adaora", "Eze", household="", phone=self._roll.landline())
        worker.roles = ("ext:socialWorker",)
        carer = self._adult("foster-carer", "Mrs", "Maureen", "Pickup")
        carer.roles = ("guardian",)
        self._roll.enter(
            child,
            (worker, {"relation": "social_worker", "parentalResponsibility": "true", "contactPriority": "1"}),
            (
                carer,
                {
                    "relation": "foster_carer",
                    "livesWith": "true",
                    "careOfChild": "true",
                    "emergencyContact": "true",
                    "contactPriority": "2",
                },
            ),
            (self._adult("care-mother", "Ms", "Donna", "Lomax"), {**MOTHER, "livesWith": "false", "careOfChild": ""}),
        )

    def _grandparents(self) -> None:
        gran = self._adult("gran", "Mrs", "Edith", "Tattersall", email="", sms="", phone=self._roll.landline())
        payer = self._adult("payer", "Mr", "Arthur", "Tattersall")
        gran.roles = payer.roles = ("relative",)
        self._roll.enter(
            self._child("gran", "Owen", "Tattersall", "10A"),
            (self._adult("gran-mother", "Miss", "Leanne", "Tattersall"), MOTHER),
            (gran, {**GRANDPARENT, **HELPER}),
            (payer, {**GRANDPARENT, "emergencyContact": "", "billPayer": "true", "contactPriority": "4"}),
        )

    def _post_only(self) -> None:
        self._roll.enter(
            self._child("post-only", "Mina", "Kershaw", "10B"),
            (self._adult("post-only", "Mr", "Walter", "Kershaw", email="", sms=""), {**FATHER, "contactPriority": "1"}),
        )
        mother, father = self._joined(
            self._adult("post-joint-mother", "Mrs", "Agnieszka", "Zając", email="", sms="", language="pl"),
            self._adult("post-joint-father", "Mr", "Andrzej", "Zając", email="", sms="", language="pl"),
        )
        self._roll.enter(self._child("post-joint", "Zuzanna", "Zając", "7C"), (mother, MOTHER), (father, FATHER))

    def _hard_to_reach(self) -> None:
        lost = self._adult("no-route", "Mr", "Craig", "Nuttall", email="", sms="")
        lost.address = None
        dead = self._roll.mailbox("Sharon", "Nuttall", domain="bounce.example.org")
        self._roll.enter(
            self._child("bounce", "Kai", "Nuttall", "11A"),
            (self._adult("bounce", "Ms", "Sharon", "Nuttall", email=dead), MOTHER),
            (lost, FATHER_ELSEWHERE),
        )

    def _formats(self) -> None:
        sixteen = self._adult("large-16", "Mrs", "Rukhsana", "Butt", language="ur", formats="large_print_16")
        twenty = self._adult("large-20", "Mr", "Tariq", "Butt", email="", formats="large_print_20")
        mother, father = self._joined(sixteen, twenty)
        self._roll.enter(self._child("large", "Maryam", "Butt", "8C"), (mother, MOTHER), (father, FATHER))
        deaf = self._adult("deaf", "Ms", "Bethan", "Vaughan", formats="text_only;bsl_video")
        self._roll.enter(self._child("deaf", "Rhys", "Vaughan", "9C"), (deaf, MOTHER))

    def _abroad_and_staff(self) -> None:
        self._roll.enter(
            self._child("abroad", "Yara", "Haddad", "10C"),
            (
                self._adult(
                    "abroad-mother",
                    "السيدة",
                    "رانيا",
                    "حداد",
                    email=self._roll.mailbox("Rania", "Haddad"),
                    language="ar",
                ),
                MOTHER,
            ),
            (
                self._adult("abroad", "Mr", "Samir", "Haddad", language="ar", timezone="Asia/Dubai"),
                FATHER_ELSEWHERE,
            ),
        )
        teacher = self._adult("staff", "Mrs", "Joanne", "Greenwood")
        teacher.roles = ("teacher", "parent")
        self._roll.enter(self._child("staff", "Poppy", "Greenwood", "7B"), (teacher, MOTHER))

    def _shared_points(self) -> None:
        shared = self._roll.mailbox("Smith", "family")
        self._roll.enter(
            self._child("mailbox", "Noah", "Smith", "8A"),
            (self._adult("mailbox-mother", "Ms", "Claire", "Smith", email=shared), MOTHER),
            (self._adult("mailbox-father", "Mr", "Darren", "Smith", email=shared), FATHER_ELSEWHERE),
        )
        line = self._roll.landline()
        mother, father = self._joined(
            self._adult("landline-mother", "Mrs", "Mei", "Lin", email="", sms="", phone=line, language="zh-Hans"),
            self._adult("landline-father", "先生", "伟", "林", email="", sms="", phone=line, language="zh-Hans"),
        )
        self._roll.enter(self._child("landline", "Lily", "Lin", "9A"), (mother, MOTHER), (father, FATHER))

    def _adult_student(self) -> None:
        child = self._child("adult", "Elif", "Aydin", "13A", born="2007-03-14")
        child.email, child.sms = self._roll.mailbox("Elif", "Aydin"), self._roll.mobile()
        self._roll.enter(child, (self._adult("adult-mother", "Ms", "Selin", "Aydin"), MOTHER))

    def _new_partners(self) -> None:
        mother, step_father = self._joined(
            self._adult("step-mother", "Mrs", "Ioana", "Popa", language="ro"),
            self._adult("step", "Mr", "Florin", "Popa", language="ro"),
        )
        cares = {"relation": "step_father", "livesWith": "true", "careOfChild": "true", "contactPriority": "2"}
        self._roll.enter(
            self._child("step", "Daria", "Ionescu", "10A"),
            (mother, MOTHER),
            (step_father, cares),
            (
                self._adult("step-father-elsewhere", "Mr", "Radu", "Ionescu", language="ro"),
                {**FATHER_ELSEWHERE, **HELPER},
            ),
        )
        mother, partner = self._joined(
            self._adult("partner-mother", "Ms", "Kelly", "Ogden"), self._adult("partner", "Mr", "Wayne", "Clegg")
        )
        self._roll.enter(
            self._child("partner", "Isla", "Ogden", "7C"),
            (mother, MOTHER),
            (partner, {"relation": "partner", "livesWith": "true", "contactPriority": "2"}),
        )

    def _refuge(self) -> None:
        self._roll.enter(
            self._child("refuge", "Anja", "Pawlak", "8B"),
            (self._adult("refuge", "Ms", "Beata", "Pawlak", language="pl", confidential="true"), MOTHER),
            (
                self._adult("refuge-father", "Mr", "Paweł", "Pawlak", language="pl"),
                {**FATHER_ELSEWHERE, "correspondence": "yes"},
            ),
        )

    def _flags(self) -> None:
        flagged = {"correspondence": "no", "correspondenceReason": "unexplained", "reports": "no"}
        self._roll.enter(
            self._child("unexplained", "Theo", "Makinson", "9B"),
            (self._adult("unexplained-mother", "Ms", "Tracey", "Makinson"), MOTHER),
            (
                self._adult("unexplained", "Mr", "Simon", "Makinson"),
                {**FATHER_ELSEWHERE, **flagged},
            ),
        )

    def _mistakes(self) -> None:
        """Enter the lines that an import refuses: see README.md, "Deliberate mistakes"."""
        self._roll.enter(
            self._child("mistake-email", "Ruby", "Dawson", "10B"),
            (self._adult("mistake-email", "Ms", "Laura", "Dawson", email="laura.dawson(at)example.org"), MOTHER),
        )
        self._roll.enter(
            self._child("mistake-landline", "Oscar", "Barker", "11B"),
            (self._adult("mistake-landline", "Mr", "Peter", "Barker", sms=self._roll.landline()), FATHER),
        )
        self._roll.enter(
            self._child("mistake-boolean", "Sam", "Jackson", "7A"),
            (self._adult("mistake-boolean", "Ms", "Natalie", "Jackson"), {**MOTHER, "livesWith": "sometimes"}),
        )
        self._roll.enter(
            self._child("mistake-date", "Leo", "Ashworth", "11C", born="2011-02-30"),
            (self._adult("mistake-date", "Ms", "Hannah", "Ashworth"), MOTHER),
        )


ORDER = "order-zz26p00117"
"""The court order against c-barred, on record in restrictions.json."""
DRAFT = "order-zz26p00208"
"""Handed in for c-draft-father, awaiting a second person."""
