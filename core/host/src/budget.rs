//! Memory and tables of a call, summed: wasmtime's own `StoreLimits` counts each memory alone, so
//! that a component of a hundred memories would have a hundred times the limit.

use wasmtime::ResourceLimiter;

use crate::Limits;

/// What a call holds, and what it may hold.
#[derive(Debug)]
pub(crate) struct Budget {
    memory_bytes: usize,
    memory_bytes_max: usize,
    table_elements: usize,
    table_elements_max: usize,
    instances_max: usize,
    memories_max: usize,
    tables_max: usize,
    /// What was asked for beyond the limit. Asking ends the call: a guest that got `-1` from
    /// `memory.grow` would trap somewhere later, with a message that says nothing.
    pub(crate) exceeded: Option<Exceeded>,
}

/// A limit that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exceeded {
    Memory { wanted: usize, max: usize },
    Table { wanted: usize, max: usize },
}

impl std::fmt::Display for Exceeded {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory { wanted, max } => write!(
                formatter,
                "it wanted {wanted} bytes of memory; at most {max} are allowed"
            ),
            Self::Table { wanted, max } => write!(
                formatter,
                "it wanted tables of {wanted} elements; at most {max} are allowed"
            ),
        }
    }
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory_bytes: 0,
            memory_bytes_max: limits.memory_bytes,
            table_elements: 0,
            table_elements_max: limits.table_elements_max,
            instances_max: limits.instances_max,
            memories_max: limits.memories_max,
            tables_max: limits.tables_max,
            exceeded: None,
        }
    }

    fn refuse(&mut self, exceeded: Exceeded) -> wasmtime::Result<bool> {
        self.exceeded.get_or_insert(exceeded);
        Err(wasmtime::Error::msg(exceeded.to_string()))
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self
            .memory_bytes
            .saturating_add(desired.saturating_sub(current));
        if wanted > self.memory_bytes_max {
            let max = self.memory_bytes_max;
            return self.refuse(Exceeded::Memory { wanted, max });
        }
        self.memory_bytes = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self
            .table_elements
            .saturating_add(desired.saturating_sub(current));
        if wanted > self.table_elements_max {
            let max = self.table_elements_max;
            return self.refuse(Exceeded::Table { wanted, max });
        }
        self.table_elements = wanted;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.tables_max
    }

    fn memories(&self) -> usize {
        self.memories_max
    }
}
