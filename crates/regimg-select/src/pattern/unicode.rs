//! Unicode categories and scripts by the names that Go knows.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The long names of categories, with the short ones.
const CATEGORIES: [(&str, &str); 42] = [
    ("casedletter", "lc"),
    ("closepunctuation", "pe"),
    ("cntrl", "cc"),
    ("combiningmark", "m"),
    ("connectorpunctuation", "pc"),
    ("control", "cc"),
    ("currencysymbol", "sc"),
    ("dashpunctuation", "pd"),
    ("decimalnumber", "nd"),
    ("digit", "nd"),
    ("enclosingmark", "me"),
    ("finalpunctuation", "pf"),
    ("format", "cf"),
    ("initialpunctuation", "pi"),
    ("letter", "l"),
    ("letternumber", "nl"),
    ("lineseparator", "zl"),
    ("lowercaseletter", "ll"),
    ("mark", "m"),
    ("mathsymbol", "sm"),
    ("modifierletter", "lm"),
    ("modifiersymbol", "sk"),
    ("nonspacingmark", "mn"),
    ("number", "n"),
    ("openpunctuation", "ps"),
    ("other", "c"),
    ("otherletter", "lo"),
    ("othernumber", "no"),
    ("otherpunctuation", "po"),
    ("othersymbol", "so"),
    ("paragraphseparator", "zp"),
    ("privateuse", "co"),
    ("punct", "p"),
    ("punctuation", "p"),
    ("separator", "z"),
    ("spaceseparator", "zs"),
    ("spacingmark", "mc"),
    ("surrogate", "cs"),
    ("symbol", "s"),
    ("titlecaseletter", "lt"),
    ("unassigned", "cn"),
    ("uppercaseletter", "lu"),
];

/// The short names of categories.
const SHORT: &str = "\
    c cc cf cn co cs l lc ll lm lo lt lu m mc me mn n nd nl no p pc pd pe pf pi po ps s \
    sc sk sm so z zl zp zs";

/// The scripts. Go knows no short names for them.
const SCRIPTS: &str = "\
    Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah \
    Batak Bengali Beria_Erfe Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid \
    Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham Cherokee Chorasmian Common \
    Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret Devanagari Dives_Akuru Dogra \
    Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Garay Georgian Glagolitic \
    Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Gurung_Khema Han Hangul \
    Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited \
    Inscriptional_Pahlavi Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi \
    Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki Khudawadi Kirat_Rai Lao Latin \
    Lepcha Limbu Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic \
    Manichaean Marchen Masaram_Gondi Medefaidrin Meetei_Mayek Mende_Kikakui \
    Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani Myanmar \
    Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong \
    Ogham Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic \
    Old_Persian Old_Sogdian Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya \
    Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic \
    Samaritan Saurashtra Sharada Shavian Siddham Sidetic SignWriting Sinhala Sogdian \
    Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa Tai_Le \
    Tai_Tham Tai_Viet Tai_Yo Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan \
    Tifinagh Tirhuta Todhri Tolong_Siki Toto Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho \
    Warang_Citi Yezidi Yi Zanabazar_Square";

/// Returns the characters of a category or script; upper and lower case, spaces,
/// underscores and hyphens in the name do not matter.
pub(super) fn class(name: &str) -> Option<ClassUnicode> {
    let name = normalized(name);
    match name.as_str() {
        "any" => return Some(range('\0', char::MAX)),
        "ascii" => return Some(range('\0', '\x7f')),
        "assigned" => {
            let mut class = table("gc", "cn");
            class.negate();
            return Some(class);
        }
        _ => {}
    }
    let long = CATEGORIES.iter().find(|(long, _)| *long == name);
    let category = long.map_or(name.as_str(), |(_, short)| short);
    if SHORT.split_whitespace().any(|short| short == category) {
        return Some(table("gc", category));
    }
    let mut scripts = SCRIPTS.split_whitespace();
    let script = scripts.find(|script| normalized(script) == name)?;
    Some(table("sc", script))
}

/// Returns characters among which are all that differ from others only in case: letters,
/// the iota subscript, Roman numerals and letters in circles.
pub(super) fn cased() -> &'static ClassUnicode {
    static CASED: LazyLock<ClassUnicode> = LazyLock::new(|| {
        let mut cased = table("gc", "lc");
        for category in ["mn", "nl", "so"] {
            cased.union(&table("gc", category));
        }
        cased
    });
    &CASED
}

fn normalized(name: &str) -> String {
    let letters = name
        .chars()
        .filter(|letter| !matches!(letter, '_' | '-' | ' '));
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

fn range(first: char, last: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new(first, last)])
}

/// Looks up a class in the tables of the `regex` crate. What they do not know yet, being
/// of an older Unicode version, has no characters; nor have surrogates, which are none.
fn table(property: &str, value: &str) -> ClassUnicode {
    let parsed = regex_syntax::parse(&format!(r"\p{{{property}={value}}}"));
    match parsed.map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        Ok(HirKind::Literal(literal)) => {
            let text = std::str::from_utf8(&literal.0).unwrap_or_default();
            ClassUnicode::new(text.chars().map(|only| ClassUnicodeRange::new(only, only)))
        }
        _ => ClassUnicode::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::{CATEGORIES, SCRIPTS, SHORT, cased, class, range};

    #[test]
    fn what_has_no_case_is_folded_to_itself() {
        let mut rest = cased().clone();
        rest.negate();
        for character in rest.iter().flat_map(|range| range.start()..=range.end()) {
            let mut folded = range(character, character);
            folded.try_case_fold_simple().unwrap();
            assert_eq!(folded, range(character, character), "{character:?}");
        }
    }

    #[test]
    fn names_are_found_however_they_are_spelled() {
        let greek = class("Greek").unwrap();
        assert_eq!(class("GREEK"), Some(greek));
        assert_eq!(class("old-italic"), class("Old_Italic"));
        assert_eq!(class("uppercase letter"), class("Lu"));
        for unknown in ["", "Latn", "gc=L", "Alphabetic", "L&", "é"] {
            assert_eq!(class(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_what_unicode_16_does_not_have_is_empty() {
        let short = SHORT.split_whitespace();
        let long = CATEGORIES.iter().map(|(long, _)| *long);
        let names = short.chain(long).chain(SCRIPTS.split_whitespace());
        let empty: Vec<_> = names
            .filter(|name| class(name).unwrap().ranges().is_empty())
            .collect();
        let expected = [
            "cs",
            "surrogate",
            "Beria_Erfe",
            "Sidetic",
            "Tai_Yo",
            "Tolong_Siki",
        ];
        assert_eq!(empty, expected);
    }
}
