//! Random syntax trees, of the shapes the parser can give.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;

use super::super::ast::*;

const NOWHERE: Location = Location { line: 0, column: 0 };

fn ident() -> impl Strategy<Value = Ident> {
    prop_oneof![
        "[A-Z_][A-Z0-9_]{0,5}",
        "[a-z0-9 `\"'.;é-]{1,6}",
        proptest::sample::select(super::super::KEYWORDS).prop_map(str::to_owned),
    ]
    .prop_map(Ident::new)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,6}", "\\PC{0,6}", "['\"`;\\-/*\n]{0,6}"]
}

fn leaf() -> impl Strategy<Value = ExprKind> {
    prop_oneof![
        Just(ExprKind::Null),
        any::<bool>().prop_map(ExprKind::Boolean),
        any::<i32>().prop_map(ExprKind::Int),
        any::<i64>().prop_filter("BIGINT", |v| i32::try_from(*v).is_err()).prop_map(ExprKind::Bigint),
        "-?[0-9]{1,20}\\.[0-9]{1,20}".prop_map(ExprKind::Decimal),
        "-?(\\.[0-9]{1,5}|[0-9]{1,5}\\.?)".prop_map(ExprKind::Decimal),
        any::<f64>().prop_filter("finite", |v| v.is_finite()).prop_map(ExprKind::Double),
        text().prop_map(ExprKind::String),
        (option::of(ident()), ident()).prop_map(|(source, name)| ExprKind::Column { source, name }),
    ]
}

pub(super) fn expr() -> impl Strategy<Value = Expr> {
    leaf().prop_map(at_nowhere).prop_recursive(5, 40, 4, |inner| {
        let kinds = Union::new([operators(inner.clone()).boxed(), structures(inner).boxed()]);
        kinds.prop_map(at_nowhere)
    })
}

fn at_nowhere(kind: ExprKind) -> Expr {
    Expr::new(kind, NOWHERE)
}

fn operators(inner: impl Strategy<Value = Expr> + Clone + 'static) -> impl Strategy<Value = ExprKind> {
    use BinaryOp::*;
    let ops = [
        Or,
        And,
        Equal,
        NotEqual,
        Less,
        LessEqual,
        Greater,
        GreaterEqual,
        IsDistinct,
        IsNotDistinct,
        Concat,
        Add,
        Subtract,
        Multiply,
        Divide,
        Modulo,
    ];
    let one = inner.clone().prop_map(Box::new);
    let signs = proptest::sample::select(vec![UnaryOp::Minus, UnaryOp::Plus, UnaryOp::Not]);
    let negated = any::<bool>();
    prop_oneof![
        3 => (proptest::sample::select(ops.to_vec()), one.clone(), one.clone())
            .prop_map(|(op, left, right)| ExprKind::Binary { op, left, right }),
        2 => (signs, one.clone()).prop_map(|(op, operand)| ExprKind::Unary { op, operand }),
        1 => (one.clone(), negated).prop_map(|(operand, negated)| ExprKind::IsNull { operand, negated }),
        1 => (one.clone(), negated, one.clone(), one.clone())
            .prop_map(|(operand, negated, low, high)| ExprKind::Between { operand, negated, low, high }),
        1 => (one.clone(), negated, vec(inner.clone(), 1..3))
            .prop_map(|(operand, negated, list)| ExprKind::InList { operand, negated, list }),
        1 => (one.clone(), negated, one.clone(), option::of(any::<char>()))
            .prop_map(|(operand, negated, pattern, escape)| ExprKind::Like { operand, negated, pattern, escape }),
    ]
}

fn structures(inner: impl Strategy<Value = Expr> + Clone + 'static) -> impl Strategy<Value = ExprKind> {
    let one = inner.clone().prop_map(Box::new);
    prop_oneof![
        (option::of(one.clone()), vec((inner.clone(), inner.clone()), 1..3), option::of(one.clone()))
            .prop_map(|(operand, branches, otherwise)| ExprKind::Case { operand, branches, otherwise }),
        (one.clone(), ty()).prop_map(|(operand, ty)| ExprKind::Cast { operand, ty }),
        (one.clone(), one.clone()).prop_map(|(base, index)| ExprKind::Subscript { base, index }),
        (one.clone(), ident()).prop_map(|(base, field)| ExprKind::Field { base, field }),
        vec(inner.clone(), 0..3).prop_map(ExprKind::Array),
        vec((inner.clone(), inner.clone()), 0..3).prop_map(ExprKind::Map),
        vec((ident(), inner.clone()), 0..3).prop_map(ExprKind::Struct),
        (ident(), vec(inner.clone(), 0..3)).prop_map(|(name, args)| ExprKind::Call { name, args }),
        Just(ExprKind::Call { name: Ident::new("COUNT"), args: Vec::new() }),
        (ident(), vec(inner.clone(), 1..3), any::<bool>(), one.clone()).prop_map(|(name, args, distinct, filter)| {
            ExprKind::Aggregate { name, args, distinct, filter: Some(filter) }
        }),
        (ident(), vec(inner.clone(), 1..3))
            .prop_map(|(name, args)| { ExprKind::Aggregate { name, args, distinct: true, filter: None } }),
        (vec(ident(), 1..4), one).prop_map(|(params, body)| ExprKind::Lambda { params, body }),
    ]
}

pub(super) fn ty() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        proptest::sample::select(vec![
            Type::Boolean,
            Type::Int,
            Type::Bigint,
            Type::Double,
            Type::String,
            Type::Bytes,
            Type::Time,
            Type::Date,
            Type::Timestamp,
        ]),
        (1u32..80, 0u32..80).prop_map(|(precision, scale)| Type::Decimal { precision, scale: scale.min(precision) }),
        ident().prop_map(Type::Custom),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(Type::Array),
            (boxed.clone(), boxed).prop_map(|(key, value)| Type::Map(key, value)),
            vec((ident(), inner), 0..3).prop_map(Type::Struct),
        ]
    })
}

fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![0u64..100_000, (0u64..1000).prop_map(|n| n * 60_000), (0u64..1000).prop_map(|n| n * 86_400_000)]
        .prop_map(Duration::from_millis)
}

fn properties() -> impl Strategy<Value = Properties> {
    let literal = prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Boolean),
        "-?[0-9]{1,4}(\\.[0-9]{1,3})?".prop_map(Literal::Number),
        text().prop_map(Literal::String),
    ];
    let name = prop_oneof!["[A-Z][A-Z_]{0,8}", "[A-Z][A-Z.'-]{0,8}"].prop_map(Ident::new);
    vec((name, literal), 0..3)
}

fn named() -> BoxedStrategy<FromItem> {
    let item = |(name, alias)| FromItem { rows: FromRows::Named(name), alias, at: NOWHERE };
    (ident(), option::of(ident())).prop_map(item).boxed()
}

/// A name, or one of these queries.
fn source(query: BoxedStrategy<Query>) -> BoxedStrategy<FromItem> {
    let item = |(query, alias)| FromItem { rows: FromRows::Query(Box::new(query)), alias, at: NOWHERE };
    prop_oneof![3 => named(), 1 => (query, option::of(ident())).prop_map(item)].boxed()
}

fn join(source: BoxedStrategy<FromItem>) -> impl Strategy<Value = Join> {
    let kinds = vec![JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full];
    let within =
        (span(), span(), option::of(span())).prop_map(|(before, after, grace)| Within { before, after, grace });
    (proptest::sample::select(kinds), source, option::of(within), expr()).prop_map(|(kind, source, within, on)| Join {
        kind,
        source,
        within,
        on,
    })
}

fn window() -> impl Strategy<Value = Window> {
    let kind = prop_oneof![
        span().prop_map(|size| WindowKind::Tumbling { size }),
        (span(), span()).prop_map(|(size, advance)| WindowKind::Hopping { size, advance }),
        span().prop_map(|gap| WindowKind::Session { gap }),
    ];
    (kind, option::of(span()), option::of(span())).prop_map(|(kind, retention, grace)| Window {
        kind,
        retention,
        grace,
        at: NOWHERE,
    })
}

fn item() -> impl Strategy<Value = SelectItem> {
    prop_oneof![
        option::of(ident()).prop_map(|source| SelectItem::Star { source, at: NOWHERE }),
        // Only what binds as tightly as `->` can stand before `->*` and be read as one thing.
        ident().prop_map(|name| SelectItem::StructStar(at_nowhere(ExprKind::Column { source: None, name }))),
        (expr(), option::of(ident())).prop_map(|(expr, alias)| SelectItem::Expr { expr, alias }),
    ]
}

/// Queries in queries, named ones, and unions.
fn query() -> impl Strategy<Value = Query> {
    let inner = select(named()).boxed();
    let table = (ident(), inner.clone()).prop_map(|(name, query)| CommonTable { name, query });
    let part =
        select(source(inner.clone())).prop_map(|part| Query { order_by: Vec::new(), emit: None, limit: None, ..part });
    let outer = (select(source(inner.clone())), vec(table, 0..3), vec(part, 0..3))
        .prop_map(|(query, with, union)| Query { with, union, ..query });
    prop_oneof![2 => inner, 1 => outer]
}

fn select(source: BoxedStrategy<FromItem>) -> impl Strategy<Value = Query> {
    let relation = (source.clone(), vec(join(source), 0..2)).prop_map(|(first, joins)| Relation { first, joins });
    let emit = option::of(proptest::sample::select(vec![Emit::Changes, Emit::Final]));
    let clauses = (option::of(expr()), vec(expr(), 0..3), vec(expr(), 0..3), option::of(expr()));
    let sort_key = (expr(), any::<bool>(), option::of(any::<bool>()));
    let sort_key = sort_key.prop_map(|(expr, descending, nulls_first)| SortKey { expr, descending, nulls_first });
    let end = (vec(sort_key, 0..3), emit, option::of(any::<u64>()));
    ((any::<bool>(), vec(item(), 1..3)), relation, option::of(window()), clauses, end).prop_map(
        |((distinct, items), from, window, (filter, group_by, partition_by, having), end)| Query {
            with: Vec::new(),
            distinct,
            items,
            from,
            window,
            filter,
            group_by,
            partition_by,
            having,
            union: Vec::new(),
            order_by: end.0,
            emit: end.1,
            limit: end.2,
        },
    )
}

fn columns() -> impl Strategy<Value = Vec<ColumnDef>> {
    let role = prop_oneof![
        Just(ColumnRole::Value),
        Just(ColumnRole::Key),
        Just(ColumnRole::PrimaryKey),
        Just(ColumnRole::Headers),
        text().prop_map(ColumnRole::Header),
    ];
    vec((ident(), ty(), role).prop_map(|(name, ty, role)| ColumnDef { name, ty, role }), 0..3)
}

fn kind() -> impl Strategy<Value = SourceKind> {
    proptest::sample::select(vec![SourceKind::Stream, SourceKind::Table])
}

fn create_mode() -> impl Strategy<Value = IfExists> {
    proptest::sample::select(vec![IfExists::Fail, IfExists::Skip, IfExists::Replace])
}

fn skip_mode() -> impl Strategy<Value = IfExists> {
    proptest::sample::select(vec![IfExists::Fail, IfExists::Skip])
}

/// As many values as columns, or any number when no column is named.
fn columns_and_values() -> impl Strategy<Value = (Vec<Ident>, Vec<Expr>)> {
    prop_oneof![
        vec((ident(), expr()), 1..3).prop_map(|pairs| pairs.into_iter().unzip()),
        vec(expr(), 1..3).prop_map(|values| (Vec::new(), values)),
    ]
}

pub(in crate::sql) fn statement() -> impl Strategy<Value = Statement> {
    let inner = Union::new([definitions().boxed(), queries().boxed(), sessions().boxed(), assertions().boxed()]);
    let plain = Union::new([definitions().boxed(), queries().boxed()]);
    let explained = plain.prop_map(|statement| {
        let parsed = ParsedStatement { statement, text: String::new(), at: NOWHERE };
        Statement::Explain(Explained::Statement(Box::new(parsed)))
    });
    prop_oneof![8 => inner, 1 => explained]
}

fn definitions() -> impl Strategy<Value = Statement> {
    prop_oneof![
        (kind(), any::<bool>(), create_mode(), ident(), columns(), properties()).prop_map(
            |(kind, is_source, if_exists, name, columns, properties)| Statement::CreateSource {
                kind,
                is_source,
                if_exists,
                name,
                columns,
                properties
            }
        ),
        (kind(), create_mode(), ident(), properties(), query()).prop_map(
            |(kind, if_exists, name, properties, query)| Statement::CreateAs {
                kind,
                if_exists,
                name,
                properties,
                query
            }
        ),
        (kind(), ident(), vec((ident(), ty()), 1..3)).prop_map(|(kind, name, add)| Statement::AlterSource {
            kind,
            name,
            add
        }),
        (skip_mode(), ident(), ty()).prop_map(|(if_exists, name, ty)| Statement::CreateType { if_exists, name, ty }),
    ]
}

fn queries() -> impl Strategy<Value = Statement> {
    prop_oneof![
        query().prop_map(Statement::Select),
        (ident(), properties(), query()).prop_map(|(target, properties, query)| Statement::InsertSelect {
            target,
            properties,
            query
        }),
        (ident(), expr()).prop_map(|(target, filter)| Statement::DeleteRow { target, filter }),
        (ident(), columns_and_values()).prop_map(|(target, (columns, values))| Statement::InsertValues {
            target,
            columns,
            values
        }),
    ]
}

fn sessions() -> impl Strategy<Value = Statement> {
    let number = || option::of(any::<u64>());
    let shows = (0usize..10, any::<bool>()).prop_map(|(which, extended)| match which {
        0 => Show::Streams { extended },
        1 => Show::Tables { extended },
        2 => Show::Topics { all: false, extended },
        3 => Show::Topics { all: true, extended },
        4 => Show::Queries { extended },
        5 => Show::Functions,
        6 => Show::Properties,
        7 => Show::Variables,
        8 => Show::Types,
        _ => Show::Connectors,
    });
    prop_oneof![
        (kind(), skip_mode(), ident(), any::<bool>()).prop_map(|(kind, if_exists, name, delete_topic)| {
            Statement::DropSource { kind, if_exists, name, delete_topic }
        }),
        (skip_mode(), ident()).prop_map(|(if_exists, name)| Statement::DropType { if_exists, name }),
        option::of(ident()).prop_map(Statement::Terminate),
        option::of(ident()).prop_map(Statement::Pause),
        option::of(ident()).prop_map(Statement::Resume),
        ident().prop_map(|id| Statement::Explain(Explained::QueryId(id))),
        ident().prop_map(|id| Statement::Explain(Explained::Running(id))),
        shows.prop_map(Statement::Show),
        (ident(), any::<bool>()).prop_map(|(name, extended)| Statement::Describe { name, extended }),
        (kind(), any::<bool>()).prop_map(|(kind, extended)| Statement::DescribeAll { kind, extended }),
        ident().prop_map(Statement::DescribeFunction),
        (ident(), any::<bool>(), number(), number()).prop_map(|(topic, from_beginning, interval, limit)| {
            Statement::Print { topic, from_beginning, interval, limit }
        }),
        (text(), text()).prop_map(|(name, value)| Statement::Set { name, value }),
        text().prop_map(|name| Statement::Unset { name }),
        (ident(), text()).prop_map(|(name, value)| Statement::Define { name, value }),
        ident().prop_map(|name| Statement::Undefine { name }),
        text().prop_map(Statement::RunScript),
        option::of(text()).prop_map(Statement::Spool),
    ]
}

fn assertions() -> impl Strategy<Value = Statement> {
    let schema = prop_oneof![
        (ident(), option::of(0i64..i64::MAX)).prop_map(|(subject, id)| (Some(subject), id)),
        (0i64..i64::MAX).prop_map(|id| (None, Some(id))),
    ];
    prop_oneof![
        (any::<bool>(), ident(), properties(), option::of(span())).prop_map(|(exists, topic, properties, timeout)| {
            Statement::AssertTopic { exists, topic, properties, timeout }
        }),
        (any::<bool>(), schema, option::of(span()))
            .prop_map(|(exists, (subject, id), timeout)| { Statement::AssertSchema { exists, subject, id, timeout } }),
        (ident(), columns_and_values()).prop_map(|(source, (columns, values))| Statement::AssertValues {
            source,
            columns,
            values
        }),
        (ident(), columns_and_values()).prop_map(|(source, (columns, key))| Statement::AssertNullValues {
            source,
            columns,
            key
        }),
        (kind(), ident(), columns(), properties()).prop_map(|(kind, name, columns, properties)| {
            Statement::AssertSource { kind, name, columns, properties }
        }),
    ]
}
