"""Invented names for the eleven home languages of the sample school; any likeness to a person is chance."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Naming:
    """How families of one home language are called, and how many of a hundred families speak it."""

    share: int
    mothers: tuple[str, ...]
    fathers: tuple[str, ...]
    families: tuple[str, ...]
    native: tuple[tuple[str, str, str], ...] = ()
    """Title, given and family name of adults who write their own name in its script."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMINGS = {
    "en": Naming(
        share=52,
        mothers=_words("Alice Grace Hannah Joanne Kelly Laura Natalie Rachel Sophie Tracey Yvonne Zoe Amelia Chloe"),
        fathers=_words("Adam Callum Daniel Edward George Harry Jamie Liam Martin Oliver Peter Simon Thomas Wayne"),
        families=_words(
            "Ashworth Barker Clegg Dawson Entwistle Fairclough Greenwood Hargreaves Illingworth Jackson Kershaw Lomax "
            "Makinson Nuttall Ogden Pickup Ramsbottom Shackleton Tattersall Whitworth Okafor Adeyemi Campbell Singh"
        ),
    ),
    "pl": Naming(
        share=8,
        mothers=_words("Agnieszka Beata Ewa Iwona Katarzyna Magdalena Małgorzata Zofia"),
        fathers=_words("Andrzej Grzegorz Jakub Łukasz Marcin Paweł Tomasz Wojciech"),
        families=_words("Kowalczyk Lewandowicz Mazurek Nowak Pawlak Sikora Wójcik Zając"),
    ),
    "ur": Naming(
        share=8,
        mothers=_words("Amina Bushra Farah Nadia Rukhsana Saima Shazia Zainab"),
        fathers=_words("Adeel Bilal Imran Kashif Nadeem Tariq Usman Waqas"),
        families=_words("Akhtar Butt Hussain Iqbal Javed Khan Malik Qureshi"),
        native=(("محترمہ", "صائمہ", "اقبال"), ("جناب", "کاشف", "ملک")),
    ),
    "ar": Naming(
        share=6,
        mothers=_words("Aisha Dalal Hanan Layla Mariam Noura Rania Salma"),
        fathers=_words("Ahmad Faisal Hassan Karim Mahmoud Omar Samir Yusuf"),
        families=_words("Aziz Darwish Haddad Khalil Mansour Nasser Saleh Taha"),
        native=(("السيدة", "ليلى", "حداد"), ("السيد", "سمير", "خليل")),
    ),
    "so": Naming(
        share=5,
        mothers=_words("Asha Deqa Fadumo Hodan Ifrah Khadra Sagal Ubah"),
        fathers=_words("Abdi Cabdulle Farah Guled Ismail Liban Mahad Warsame"),
        families=_words("Abdullahi Aden Elmi Hirsi Jama Mohamud Nur Shire"),
    ),
    "bn": Naming(
        share=5,
        mothers=_words("Anika Farhana Jesmin Mitali Nasrin Rehana Shirin Tahmina"),
        fathers=_words("Arif Habib Kamal Mizan Rafiq Shafiq Tanvir Zahid"),
        families=_words("Ahmed Begum Chowdhury Islam Miah Rahman Sarkar Uddin"),
        native=(("জনাবা", "তাহমিনা", "রহমান"), ("জনাব", "কামাল", "মিয়া")),
    ),
    "cy": Naming(
        share=3,
        mothers=_words("Angharad Bethan Carys Eleri Ffion Lowri Nia Siân"),
        fathers=_words("Aled Dafydd Emyr Geraint Huw Iwan Rhodri Tomos"),
        families=_words("Bowen Cadwaladr Griffiths Llewellyn Morgan Prosser Rees Vaughan"),
    ),
    "pt-PT": Naming(
        share=4,
        mothers=_words("Ana Beatriz Catarina Inês Joana Mafalda Rita Teresa"),
        fathers=_words("António Duarte Filipe João Miguel Nuno Rui Tiago"),
        families=_words("Almeida Carvalho Ferreira Lopes Matias Nogueira Pereira Teixeira"),
    ),
    "ro": Naming(
        share=4,
        mothers=_words("Adriana Camelia Daniela Elena Ioana Mihaela Raluca Simona"),
        fathers=_words("Andrei Bogdan Cristian Florin Ionuț Mihai Radu Ștefan"),
        families=_words("Albu Barbu Dumitrescu Ionescu Lungu Munteanu Popa Stoica"),
    ),
    "zh-Hans": Naming(
        share=3,
        mothers=_words("Fang Hui Jing Lan Mei Qian Xiu Ying"),
        fathers=_words("Bo Chao Feng Hao Jun Lei Ming Wei"),
        families=_words("Chen Deng Guo Huang Lin Sun Xu Zhao"),
        native=(("女士", "静", "陈"), ("先生", "伟", "赵")),
    ),
    "uk": Naming(
        share=3,
        mothers=_words("Daryna Halyna Iryna Kateryna Liudmyla Nataliia Oksana Yuliia"),
        fathers=_words("Andrii Bohdan Dmytro Ihor Mykola Oleh Taras Yurii"),
        families=_words("Bondar Hrytsenko Kovalenko Lysenko Marchenko Petrenko Shevchuk Tkachenko"),
        native=(("Пані", "Оксана", "Бондар"), ("Пан", "Тарас", "Лисенко")),  # noqa: RUF001 - Cyrillic is meant
    ),
}

CHILDREN = _words(
    "Aaron Adaeze Aiden Alina Amir Amelia Anja Ben Bea Callum Carys Daria Dylan Ela Elif Emma Ethan Faith Filip Freya "
    "Gabriel Hana Hamza Harper Ibrahim Imogen Isla Jack Jana Jasmine Kai Kemi Lena Leo Lily Luca Maja Maryam Mateo "
    "Maya Mia Mila Mina Musa Nadia Nia Noah Nora Oscar Owen Poppy Rafi Rhys Rosa Ruby Sam Sara Seren Sofia Tariq Theo "
    "Tomos Uma Viktor Wren Yara Yusuf Zain Zara Zuzanna"
)

STREETS = (
    "Alder Row",
    "Bobbin Street",
    "Canal Terrace",
    "Dyehouse Lane",
    "Engine Brow",
    "Fustian Court",
    "Gasworks Road",
    "Hollins Lane",
    "Ironbridge Close",
    "Jubilee Place",
    "Loom Street",
    "Mill Bank",
    "Quarry Rise",
    "Station Approach",
    "Weavers Walk",
)
