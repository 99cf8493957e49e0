//! Writes the few flat JSON objects that go to the supervisor.

use std::fmt::Write;

/// A JSON object under construction.
pub struct Object {
    text: String,
}

impl Object {
    pub fn new() -> Object {
        Object { text: "{".to_owned() }
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.quoted(key);
        self.text.push(':');
    }

    pub fn integer(mut self, key: &str, value: u64) -> Object {
        self.key(key);
        self.text.push_str(&value.to_string());
        self
    }

    pub fn boolean(mut self, key: &str, value: bool) -> Object {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub fn string(mut self, key: &str, value: &str) -> Object {
        self.key(key);
        self.quoted(value);
        self
    }

    pub fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.text.extend(['\\', character]),
                '\0'..='\x1f' => write!(self.text, "\\u{:04x}", character as u32).expect("writing to a string"),
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_valid_json() {
        let object = Object::new().integer("n", 7).boolean("ok", false).string("text", "a\"b\\c\nd\u{1}é");
        assert_eq!(object.finish(), r#"{"n":7,"ok":false,"text":"a\"b\\c\u000ad\u0001é"}"#);
        assert_eq!(Object::new().finish(), "{}");
    }
}
