//! What is on stdin, whatever the command.

use regimg_resource::Command;

use crate::driver::call;

const COMMANDS: [Command; 3] = [Command::Check, Command::Get, Command::Put];

#[test]
fn rubbish_on_stdin_is_an_invalid_payload() {
    let cases = [
        ("", "invalid payload: EOF"),
        (
            r#"{"source": {"repository": "#,
            "invalid payload: unexpected EOF",
        ),
        (
            r#"{"source": {"colour": 1}}"#,
            r#"invalid payload: json: unknown field "colour""#,
        ),
        (
            r#"{"source": {"debug": "yes"}}"#,
            "invalid payload: json: cannot unmarshal string into Go struct field",
        ),
        ("plain text", "invalid payload: "),
    ];
    let directory = tempfile::tempdir().unwrap();
    for command in COMMANDS {
        for (stdin, expected) in cases {
            let message = call(command, stdin, Some(directory.path())).failure();
            assert!(
                message.starts_with(expected),
                "{command:?} {stdin}: {message}"
            );
        }
    }
}

#[test]
fn check_takes_no_params() {
    let message = call(Command::Check, r#"{"source": {}, "params": {}}"#, None).failure();
    assert_eq!(message, r#"invalid payload: json: unknown field "params""#);
}

#[test]
fn in_and_out_want_a_directory() {
    for command in [Command::Get, Command::Put] {
        let message = call(command, r#"{"source": {"repository": "a"}}"#, None).failure();
        assert_eq!(message, "destination path not specified");
    }
}
