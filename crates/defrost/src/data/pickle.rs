//! The few pickles that hold CIFAR's Python archive: parsed, never executed.
//!
//! Invariant: only the globals in [`Global`] are known, and "calling" one of them builds a value of [`Value`]; anything
//! else is an error. Protocols 0 to 4 write more opcodes than are read here: the list is what dictionaries, lists,
//! tuples, numbers, strings and numpy arrays need.

use std::borrow::Cow;
use std::collections::HashMap;

/// Why a pickle isn't read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// The file ends too early.
    #[error("the pickle is cut off at byte {offset}")]
    CutOff {
        /// Where the next byte was expected.
        offset: usize,
    },
    /// An instruction that plain data doesn't need.
    #[error("unexpected pickle opcode {opcode:#04x} at byte {offset}")]
    Opcode {
        /// The instruction.
        opcode: u8,
        /// Where it is.
        offset: usize,
    },
    /// A Python object that plain data doesn't need; it is not imported.
    #[error("the pickle asks for the Python object `{name}`, which is not data")]
    Global {
        /// `module.name`.
        name: String,
    },
    /// Instructions that don't fit together.
    #[error("the pickle's instructions don't fit together at byte {offset}")]
    Disorder {
        /// Where it was noticed.
        offset: usize,
    },
    /// A key isn't there, or its value is something else.
    #[error("the pickle has no `{key}` that is {expected}")]
    Key {
        /// The dictionary's key.
        key: &'static str,
        /// What its value should be.
        expected: &'static str,
    },
}

/// A decoded pickle. Values refer to each other by their place in `values`, as pickled objects do, so that nothing is
/// copied and a cycle can't be followed for ever.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

type Id = usize;

#[derive(Debug)]
enum Value<'a> {
    /// `None`, a boolean or a float: needed by no key that is read.
    Other,
    Int(i64),
    Bytes(Cow<'a, [u8]>),
    /// A list or tuple.
    Sequence(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// A numpy type by its name, such as `u1`.
    Dtype(Vec<u8>),
    /// A numpy array; `None` until its state is set.
    Array(Option<Array>),
}

/// The places of an array's shape, type, flag for Fortran's order (column by column), and raw bytes.
#[derive(Debug, Clone, Copy)]
struct Array {
    shape: Id,
    dtype: Id,
    fortran: Id,
    bytes: Id,
}

/// All the Python objects that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Global {
    /// `numpy.core.multiarray._reconstruct`: an array without its state.
    Reconstruct,
    /// `numpy.ndarray`.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`: how Python 3 writes bytes in protocol 2.
    Encode,
}

impl Global {
    fn named(module: &[u8], name: &[u8]) -> Result<Global, PickleError> {
        match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Ok(Global::Reconstruct),
            (b"numpy", b"ndarray") => Ok(Global::NdArray),
            (b"numpy", b"dtype") => Ok(Global::Dtype),
            (b"_codecs", b"encode") => Ok(Global::Encode),
            _ => {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                Err(PickleError::Global { name: format!("{}.{}", text(module), text(name)) })
            }
        }
    }
}

impl<'a> Pickle<'a> {
    /// Decodes a pickle.
    pub(super) fn parse(input: &'a [u8]) -> Result<Pickle<'a>, PickleError> {
        let mut machine = Machine {
            input,
            offset: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        let root = machine.run()?;
        Ok(Pickle { values: machine.values, root })
    }

    fn get(&self, key: &str) -> Option<&Value<'a>> {
        let Value::Dict(items) = &self.values[self.root] else { return None };
        let is_key = |id: Id| matches!(&self.values[id], Value::Bytes(bytes) if bytes.as_ref() == key.as_bytes());
        items.iter().rev().find(|(id, _)| is_key(*id)).map(|(_, value)| &self.values[*value])
    }

    fn sequence<T>(
        &self,
        key: &'static str,
        expected: &'static str,
        element: impl Fn(&Value<'a>) -> Option<T>,
    ) -> Result<Vec<T>, PickleError> {
        let values = match self.get(key) {
            Some(Value::Sequence(ids)) => ids.iter().map(|id| element(&self.values[*id])).collect(),
            _ => None,
        };
        values.ok_or(PickleError::Key { key, expected })
    }

    /// The root dictionary's list of integers `key`.
    pub(super) fn integers(&self, key: &'static str) -> Result<Vec<i64>, PickleError> {
        self.sequence(key, "a list of integers", |value| match value {
            Value::Int(number) => Some(*number),
            _ => None,
        })
    }

    /// The root dictionary's list of strings `key`.
    pub(super) fn strings(&self, key: &'static str) -> Result<Vec<String>, PickleError> {
        self.sequence(key, "a list of strings", |value| match value {
            Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        })
    }

    /// The root dictionary's array of bytes `key`, of shape `[rows, columns]`: the number of rows, and the bytes row by
    /// row.
    pub(super) fn rows(&self, key: &'static str, columns: usize) -> Result<(usize, Cow<'_, [u8]>), PickleError> {
        let rows = || {
            let Value::Array(Some(array)) = self.get(key)? else { return None };
            let Value::Sequence(shape) = &self.values[array.shape] else { return None };
            let [Value::Int(rows), Value::Int(width)] = [shape.first()?, shape.get(1)?].map(|id| &self.values[*id])
            else {
                return None;
            };
            let [Value::Dtype(dtype), Value::Bytes(bytes)] = [array.dtype, array.bytes].map(|id| &self.values[id])
            else {
                return None;
            };
            let rows = usize::try_from(*rows).ok()?;
            let fits = usize::try_from(*width) == Ok(columns) && rows.checked_mul(columns) == Some(bytes.len());
            if shape.len() != 2 || !fits || !dtype.ends_with(b"u1") {
                return None;
            }
            let by_columns = matches!(self.values[array.fortran], Value::Int(1));
            let element = |index: usize| bytes[index % columns * rows + index / columns];
            Some((
                rows,
                if by_columns { (0..bytes.len()).map(element).collect() } else { Cow::Borrowed(bytes.as_ref()) },
            ))
        };
        rows().ok_or(PickleError::Key { key, expected: "an array of bytes with 3072 columns" })
    }
}

/// The stack machine that a pickle is written for.
#[derive(Debug)]
struct Machine<'a> {
    input: &'a [u8],
    offset: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<usize, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, PickleError> {
        loop {
            let start = self.offset;
            match self.byte()? {
                0x80 => drop(self.byte()?),  // PROTO
                0x95 => drop(self.take(8)?), // FRAME
                b'(' => self.marks.push(self.stack.len()),
                b'.' => return self.pop(),
                b'0' => drop(self.pop()?),
                b'N' => self.push(Value::Other),
                b'\x88' => self.push(Value::Int(1)), // True
                b'\x89' => self.push(Value::Int(0)), // False
                b'J' => {
                    let number = self.number(4)? as u32 as i32;
                    self.push(Value::Int(number.into()));
                }
                b'K' => self.unsigned(1)?,
                b'M' => self.unsigned(2)?,
                b'\x8a' => self.long()?,
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Other);
                }
                b'U' | b'C' | b'\x8c' => self.string(1)?, // short strings: of Python 2, bytes, text
                b'T' | b'B' | b'X' => self.string(4)?,
                b'\x8e' | b'\x8d' => self.string(8)?,
                b']' | b')' => self.push(Value::Sequence(Vec::new())),
                b'}' => self.push(Value::Dict(Vec::new())),
                b't' | b'l' => {
                    let items = self.since_mark()?;
                    self.push(Value::Sequence(items));
                }
                count @ 0x85..=0x87 => self.tuple(usize::from(count - 0x84))?,
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' => {
                    let items = self.since_mark()?;
                    self.append(&items)?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.set(&[key, value])?;
                }
                b'u' => {
                    let items = self.since_mark()?;
                    self.set(&items)?;
                }
                b'q' => self.remember(1)?,
                b'r' => self.remember(4)?,
                b'\x94' => {
                    let id = self.top()?;
                    self.memo.insert(self.memo.len(), id);
                }
                b'h' => self.recall(1)?,
                b'j' => self.recall(4)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Value::Global(Global::named(module, name)?));
                }
                b'\x93' => self.stack_global()?,
                b'R' => self.reduce()?,
                b'b' => self.build()?,
                opcode => return Err(PickleError::Opcode { opcode, offset: start }),
            }
        }
    }

    fn disorder(&self) -> PickleError {
        PickleError::Disorder { offset: self.offset }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PickleError> {
        let rest = &self.input[self.offset..];
        let taken = rest.get(..length).ok_or(PickleError::CutOff { offset: self.input.len() })?;
        self.offset += length;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A little-endian number of `width` bytes.
    fn number(&mut self, width: usize) -> Result<u64, PickleError> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn length(&mut self, width: usize) -> Result<usize, PickleError> {
        let number = self.number(width)?;
        usize::try_from(number).map_err(|_| self.disorder())
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let rest = &self.input[self.offset..];
        let end =
            rest.iter().position(|byte| *byte == b'\n').ok_or(PickleError::CutOff { offset: self.input.len() })?;
        self.offset += end + 1;
        Ok(&rest[..end])
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn top(&self) -> Result<Id, PickleError> {
        self.stack.last().copied().ok_or(self.disorder())
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        self.stack.pop().ok_or(self.disorder())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len()).ok_or(self.disorder())?;
        Ok(self.stack.split_off(mark))
    }

    fn unsigned(&mut self, width: usize) -> Result<(), PickleError> {
        let number = self.number(width)? as i64;
        self.push(Value::Int(number));
        Ok(())
    }

    /// A little-endian two's complement number of up to eight bytes.
    fn long(&mut self) -> Result<(), PickleError> {
        let width = usize::from(self.byte()?);
        if width > 8 {
            return Err(self.disorder());
        }
        let number = self.number(width)?;
        let unused = 64 - 8 * width as u32;
        let signed = if width == 0 { 0 } else { (number << unused) as i64 >> unused };
        self.push(Value::Int(signed));
        Ok(())
    }

    fn string(&mut self, width: usize) -> Result<(), PickleError> {
        let length = self.length(width)?;
        let bytes = self.take(length)?;
        self.push(Value::Bytes(Cow::Borrowed(bytes)));
        Ok(())
    }

    fn tuple(&mut self, count: usize) -> Result<(), PickleError> {
        let start = self.stack.len().checked_sub(count).ok_or(self.disorder())?;
        let items = self.stack.split_off(start);
        self.push(Value::Sequence(items));
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::Sequence(list) => list.extend(items),
            _ => return Err(self.disorder()),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), PickleError> {
        let dict = self.top()?;
        match &mut self.values[dict] {
            Value::Dict(dict) if items.len().is_multiple_of(2) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            _ => return Err(self.disorder()),
        }
        Ok(())
    }

    fn remember(&mut self, width: usize) -> Result<(), PickleError> {
        let (place, id) = (self.length(width)?, self.top()?);
        self.memo.insert(place, id);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Result<(), PickleError> {
        let place = self.length(width)?;
        let id = self.memo.get(&place).copied().ok_or(self.disorder())?;
        self.stack.push(id);
        Ok(())
    }

    fn stack_global(&mut self) -> Result<(), PickleError> {
        let (name, module) = (self.pop()?, self.pop()?);
        let global = match (&self.values[module], &self.values[name]) {
            (Value::Bytes(module), Value::Bytes(name)) => Global::named(module, name)?,
            _ => return Err(self.disorder()),
        };
        self.push(Value::Global(global));
        Ok(())
    }

    /// Builds what the callable on the stack would return for its arguments.
    fn reduce(&mut self) -> Result<(), PickleError> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Value::Global(global), Value::Sequence(arguments)) = (&self.values[callable], &self.values[arguments])
        else {
            return Err(self.disorder());
        };
        let first = arguments.first().map(|id| &self.values[*id]);
        let built = match (global, first) {
            (Global::Reconstruct, Some(Value::Global(Global::NdArray))) => Value::Array(None),
            (Global::Dtype, Some(Value::Bytes(name))) => Value::Dtype(name.to_vec()),
            (Global::Encode, Some(Value::Bytes(text))) => {
                Value::Bytes(Cow::Owned(latin1(text).ok_or_else(|| self.disorder())?))
            }
            _ => return Err(self.disorder()),
        };
        self.push(built);
        Ok(())
    }

    /// Sets an array's state `(version, shape, dtype, is_fortran, bytes)`; a type's state says nothing that matters
    /// here.
    fn build(&mut self) -> Result<(), PickleError> {
        let (state, object) = (self.pop()?, self.top()?);
        let array = match &self.values[state] {
            Value::Sequence(items) => match items.as_slice() {
                [_, shape, dtype, fortran, bytes] => {
                    Some(Array { shape: *shape, dtype: *dtype, fortran: *fortran, bytes: *bytes })
                }
                _ => None,
            },
            _ => None,
        };
        match (&mut self.values[object], array) {
            (Value::Array(state), Some(array)) => *state = Some(array),
            (Value::Dtype(_), _) => {}
            _ => return Err(self.disorder()),
        }
        Ok(())
    }
}

/// The bytes that a text of characters below 256 stands for.
fn latin1(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_refused_by_name() {
        // What `pickle.dumps` writes for an object whose `__reduce__` returns `(os.system, ("id",))`.
        let error =
            Pickle::parse(b"\x80\x02cposix\nsystem\nq\x00X\x02\x00\x00\x00idq\x01\x85q\x02Rq\x03.").unwrap_err();
        assert_eq!(error, PickleError::Global { name: "posix.system".into() });
    }

    #[test]
    fn numbers_of_all_widths() {
        let pickle = b"\x80\x02}U\x01n(lK\x07aM\x00\x01aJ\xff\xff\xff\xffa\x8a\x02\x00\x80a\x8a\x00as.";
        assert_eq!(Pickle::parse(pickle).unwrap().integers("n").unwrap(), [7, 256, -1, -32768, 0]);
    }

    #[test]
    fn columns_first_is_turned_around() {
        let array = |fortran: &[u8]| {
            let mut pickle =
                b"\x80\x02}U\x01dcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R".to_vec();
            pickle.extend(b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1\x89\x88\x87R");
            pickle.extend(fortran);
            pickle.extend(b"U\x06\x01\x02\x03\x04\x05\x06tbs.");
            pickle
        };
        let rows = |fortran: &[u8]| Pickle::parse(&array(fortran)).unwrap().rows("d", 3).unwrap().1.into_owned();
        assert_eq!(rows(b"\x89"), [1, 2, 3, 4, 5, 6]);
        assert_eq!(rows(b"\x88"), [1, 3, 5, 2, 4, 6]);
        assert!(Pickle::parse(&array(b"\x89")).unwrap().rows("d", 2).is_err());
    }

    #[test]
    fn a_list_that_holds_itself_is_no_trap() {
        let pickle = Pickle::parse(b"\x80\x02}U\x01n]q\x00h\x00as.").unwrap();
        assert_eq!(pickle.integers("n").unwrap_err(), PickleError::Key { key: "n", expected: "a list of integers" });
    }
}
