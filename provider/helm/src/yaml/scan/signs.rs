//! Directives, anchors, aliases and tags.

use super::{Fault, Kind, Scanner};

impl<'s> Scanner<'s> {
    pub(super) fn directive(&mut self) -> Result<(), Fault> {
        self.unroll(-1);
        self.forget_key()?;
        self.key_allowed = false;
        let start = self.at.mark;
        self.at.skip();
        let name = self.at.word();
        if name.is_empty() {
            return self.fault("could not find expected directive name");
        }
        if !self.at.is_blank_or_end(0) {
            return self.fault("found unexpected non-alphabetical character");
        }
        let kind = match name {
            "YAML" => {
                self.at.skip_all_blanks();
                let major = self.version_number()?;
                if self.at.byte(0) != Some(b'.') {
                    return self.fault("did not find expected digit or '.' character");
                }
                self.at.skip();
                Kind::Version(major, self.version_number()?)
            }
            "TAG" => self.tag_directive()?,
            _ => return self.fault("found unknown directive name"),
        };
        if !self.at.ends_line() {
            return self.fault("did not find expected comment or line break");
        }
        self.at.skip_line();
        self.push(kind, start);
        Ok(())
    }

    fn version_number(&mut self) -> Result<u32, Fault> {
        let from = self.at.pos();
        while self.at.byte(0).is_some_and(|byte| byte.is_ascii_digit()) {
            if self.at.pos() - from == 9 {
                return self.fault("found extremely long version number");
            }
            self.at.skip();
        }
        match self.at.since(from).parse() {
            Ok(number) => Ok(number),
            Err(_) => self.fault("did not find expected version number"),
        }
    }

    fn tag_directive(&mut self) -> Result<Kind<'s>, Fault> {
        self.at.skip_all_blanks();
        let handle = self.handle(true)?;
        if !self.at.is_blank(0) {
            return self.fault("did not find expected whitespace");
        }
        self.at.skip_all_blanks();
        let prefix = self.uri(None)?;
        if !self.at.is_blank_or_end(0) {
            return self.fault("did not find expected whitespace or line break");
        }
        Ok(Kind::TagDirective(handle, prefix))
    }

    pub(super) fn anchor(&mut self, alias: bool) -> Result<(), Fault> {
        let start = self.at.mark;
        self.at.skip();
        let name = self.at.word();
        let ends = self.at.is_blank_or_end(0)
            || matches!(
                self.at.byte(0),
                Some(b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`')
            );
        if name.is_empty() || !ends {
            return self.fault("did not find expected alphabetic or numeric character");
        }
        let kind = if alias {
            Kind::Alias(name)
        } else {
            Kind::Anchor(name)
        };
        self.push(kind, start);
        Ok(())
    }

    pub(super) fn tag(&mut self) -> Result<(), Fault> {
        let start = self.at.mark;
        let (handle, suffix) = if self.at.byte(1) == Some(b'<') {
            self.at.skip();
            self.at.skip();
            let suffix = self.uri(None)?;
            if self.at.byte(0) != Some(b'>') {
                return self.fault("did not find the expected '>'");
            }
            self.at.skip();
            ("", suffix)
        } else {
            let handle = self.handle(false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.uri(None)?)
            } else {
                let suffix = self.uri(Some(handle))?;
                if suffix.is_empty() {
                    ("", "!".to_owned())
                } else {
                    ("!", suffix)
                }
            }
        };
        if !self.at.is_blank_or_end(0) {
            return self.fault("did not find expected whitespace or line break");
        }
        self.push(Kind::Tag(handle, suffix), start);
        Ok(())
    }

    fn handle(&mut self, directive: bool) -> Result<&'s str, Fault> {
        let from = self.at.pos();
        if self.at.byte(0) != Some(b'!') {
            return self.fault("did not find expected '!'");
        }
        self.at.skip();
        self.at.word();
        if self.at.byte(0) == Some(b'!') {
            self.at.skip();
        } else if directive && self.at.since(from) != "!" {
            return self.fault("did not find expected '!'");
        }
        Ok(self.at.since(from))
    }

    /// With `head`, what was read as a handle belongs to it, but for its `!`.
    fn uri(&mut self, head: Option<&str>) -> Result<String, Fault> {
        let mut bytes = head.map_or(Vec::new(), |head| head.as_bytes()[1..].to_vec());
        let mut any = head.is_some();
        while let Some(byte) = self.at.byte(0) {
            let allowed = byte.is_ascii_alphanumeric() || b"_-;/?:@&=+$.,!~*'()[]%".contains(&byte);
            if !allowed {
                break;
            }
            any = true;
            self.at.skip();
            if byte != b'%' {
                bytes.push(byte);
                continue;
            }
            let digits = self.at.rest().get(..2);
            let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
                return self.fault("did not find URI escaped octet");
            };
            bytes.push(byte);
            self.at.skip();
            self.at.skip();
        }
        if !any {
            return self.fault("did not find expected tag URI");
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => self.fault("found an incorrect leading UTF-8 octet"),
        }
    }
}
