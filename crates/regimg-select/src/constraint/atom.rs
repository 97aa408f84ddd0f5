//! One comparison of a constraint.

use std::{cmp::Ordering, fmt, ops::Range};

use crate::{ParseSemverError, Semver, shape::Shape};

/// Compares versions with one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Atom {
    operator: Operator,
    precision: Precision,
    version: Semver,
    /// The operator and the version as they are written.
    sign: &'static str,
    operand: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    Tilde,
    Caret,
}

/// Says down to which number a version is given; the others are missing or wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Any,
    Major,
    Minor,
    Full,
}

/// All ways to write an operator, longer ones before those that they begin with.
const OPERATORS: [(&str, Operator); 12] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
    ("", Operator::Equal),
];

impl Operator {
    /// Finds the operator that `text` begins with, and how it is written there.
    pub(super) fn of_prefix(text: &str) -> (&'static str, Self) {
        let mut operators = OPERATORS.into_iter();
        operators
            .find(|(sign, _)| text.starts_with(sign))
            .unwrap_or(("", Self::Equal))
    }
}

impl Precision {
    fn of(operand: &str, shape: &Shape) -> Self {
        let wildcard = |range: &Range<usize>| matches!(&operand[range.clone()], "x" | "X" | "*");
        let given =
            |range: &Option<Range<usize>>| range.as_ref().is_some_and(|range| !wildcard(range));
        match () {
            () if wildcard(&shape.major) => Self::Any,
            () if !given(&shape.minor) => Self::Major,
            () if !given(&shape.patch) => Self::Minor,
            () => Self::Full,
        }
    }
}

impl Atom {
    /// Fills the parts of `operand` that are not given with zeros. Then the metadata is
    /// dropped, too.
    pub(super) fn new(
        operator: Operator,
        sign: &'static str,
        operand: &str,
        shape: &Shape,
    ) -> Result<Self, ParseSemverError> {
        let precision = Precision::of(operand, shape);
        let part = |range: Option<&Range<usize>>| range.map_or("", |range| &operand[range.clone()]);
        let major = part(Some(&shape.major));
        let numbers = match precision {
            Precision::Any => "0.0.0".to_owned(),
            Precision::Major => format!("{major}.0.0"),
            Precision::Minor => format!("{major}.{}.0", part(shape.minor.as_ref())),
            Precision::Full => String::new(),
        };
        let version = match (precision, part(shape.pre_release.as_ref())) {
            (Precision::Full, _) => Semver::parse(operand),
            (_, "") => Semver::parse(&numbers),
            (_, pre_release) => Semver::parse(&format!("{numbers}-{pre_release}")),
        };
        Ok(Self {
            operator,
            precision,
            version: version?,
            sign,
            operand: operand.into(),
        })
    }

    /// Reports whether the version that is compared with is a pre-release.
    pub(super) fn is_pre_release(&self) -> bool {
        self.version.is_pre_release()
    }

    /// Reports whether the comparison holds. Whether pre-releases are wanted at all is
    /// not asked here.
    pub(super) fn matches(&self, version: &Semver) -> bool {
        let order = version.cmp_precedence(&self.version);
        match (self.operator, self.precision) {
            (Operator::Equal, Precision::Full) => order.is_eq(),
            (Operator::Equal | Operator::Tilde, _) => order.is_ge() && self.tilde(version),
            (Operator::NotEqual, _) => self.differs(version, order),
            (Operator::Greater, _) => self.upper(version, order).is_gt(),
            (Operator::LessOrEqual, _) => self.upper(version, order).is_le(),
            (Operator::Less, _) => order.is_lt(),
            (Operator::GreaterOrEqual, _) => order.is_ge(),
            (Operator::Caret, _) => order.is_ge() && self.caret(version),
        }
    }

    fn same(&self, version: &Semver, numbers: usize) -> bool {
        version.numbers()[..numbers] == self.version.numbers()[..numbers]
    }

    /// Compat: `~0.0.0` has no upper end.
    fn tilde(&self, version: &Semver) -> bool {
        match self.precision {
            Precision::Any => true,
            Precision::Major => self.same(version, 1),
            Precision::Full if self.version.numbers() == [0; 3] => true,
            Precision::Minor | Precision::Full => self.same(version, 2),
        }
    }

    /// Compat: `^*` allows nothing but 0.0.0.
    fn caret(&self, version: &Semver) -> bool {
        let [major, minor, _] = self.version.numbers();
        let numbers = match self.precision {
            Precision::Any => 3,
            Precision::Major => 1,
            _ if major > 0 => 1,
            Precision::Minor => 2,
            Precision::Full if minor > 0 => 2,
            Precision::Full => 3,
        };
        self.same(version, numbers)
    }

    /// Compat: with a minor version, pre-releases that differ are a difference.
    fn differs(&self, version: &Semver, order: Ordering) -> bool {
        let pre_releases = version.pre_release() != self.version.pre_release();
        match self.precision {
            Precision::Any | Precision::Full => order.is_ne(),
            Precision::Major => !self.same(version, 1),
            Precision::Minor => !self.same(version, 2) || pre_releases,
        }
    }

    /// Compares with the end of what the version stands for: `1.2` with all of 1.2.
    ///
    /// Compat: the end of `*` is that of 0.0 for `<=`, but 0.0.0 for `>`.
    fn upper(&self, version: &Semver, order: Ordering) -> Ordering {
        let numbers = match self.precision {
            Precision::Full => return order,
            Precision::Any if self.operator == Operator::Greater => return order,
            Precision::Major => 1,
            Precision::Minor | Precision::Any => 2,
        };
        version.numbers()[..numbers].cmp(&self.version.numbers()[..numbers])
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.sign, self.operand)
    }
}
