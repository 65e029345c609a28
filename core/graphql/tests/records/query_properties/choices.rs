//! Decisions, taken from a list of numbers one after the other: 0 is the simplest, and so is what
//! stands behind the end. proptest shrinks lists of numbers; so it shrinks whatever is made of
//! them.

pub(crate) struct Choices {
    numbers: Vec<u32>,
    at: usize,
}

impl Choices {
    pub(crate) fn new(numbers: Vec<u32>) -> Self {
        Self { numbers, at: 0 }
    }

    /// A number below `count`, which is not 0.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        number as usize % count
    }

    /// True once in so many times; false is simpler.
    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) + 1 == count
    }

    /// One of several; the first is the simplest.
    pub(crate) fn of<'t, T: ?Sized>(&mut self, items: &[&'t T]) -> &'t T {
        items[self.below(items.len())]
    }

    /// A permutation; as it is is the simplest.
    pub(crate) fn shuffled<T>(&mut self, mut items: Vec<T>) -> Vec<T> {
        let mut shuffled = Vec::with_capacity(items.len());
        while !items.is_empty() {
            let next = self.below(items.len());
            shuffled.push(items.remove(next));
        }
        shuffled
    }
}
