//! The error codes of NVML, by the names that a script uses.

use std::ffi::CStr;

use nvml_wrapper_sys::bindings as sys;
use serde::{Deserialize, Serialize};
use sys::nvmlReturn_t;

macro_rules! codes {
    ($($variant:ident $name:literal $raw:ident $text:literal;)*) => {
        /// An error of NVML: `nvmlReturn_t` without success, named as in nvml.h without
        /// `NVML_ERROR_`, in lower case.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum NvmlCode {
            $(
                #[doc = concat!("`", $name, "`")]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl NvmlCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The number that the C function answers.
            pub fn raw(self) -> nvmlReturn_t {
                match self {
                    $(Self::$variant => sys::$raw,)*
                }
            }

            /// The name in a script.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What `nvmlErrorString` says of it.
            pub fn text(self) -> &'static CStr {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

codes! {
    Uninitialized "uninitialized" nvmlReturn_enum_NVML_ERROR_UNINITIALIZED c"Uninitialized";
    InvalidArgument "invalid_argument" nvmlReturn_enum_NVML_ERROR_INVALID_ARGUMENT c"Invalid Argument";
    NotSupported "not_supported" nvmlReturn_enum_NVML_ERROR_NOT_SUPPORTED c"Not Supported";
    NoPermission "no_permission" nvmlReturn_enum_NVML_ERROR_NO_PERMISSION c"Insufficient Permissions";
    AlreadyInitialized "already_initialized" nvmlReturn_enum_NVML_ERROR_ALREADY_INITIALIZED c"Already Initialized";
    NotFound "not_found" nvmlReturn_enum_NVML_ERROR_NOT_FOUND c"Not Found";
    InsufficientSize "insufficient_size" nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_SIZE c"Insufficient Size";
    InsufficientPower "insufficient_power" nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_POWER c"Insufficient External Power";
    DriverNotLoaded "driver_not_loaded" nvmlReturn_enum_NVML_ERROR_DRIVER_NOT_LOADED c"Driver Not Loaded";
    Timeout "timeout" nvmlReturn_enum_NVML_ERROR_TIMEOUT c"Timeout";
    IrqIssue "irq_issue" nvmlReturn_enum_NVML_ERROR_IRQ_ISSUE c"Interrupt Request Issue";
    LibraryNotFound "library_not_found" nvmlReturn_enum_NVML_ERROR_LIBRARY_NOT_FOUND c"NVML Shared Library Not Found";
    FunctionNotFound "function_not_found" nvmlReturn_enum_NVML_ERROR_FUNCTION_NOT_FOUND c"Function Not Found";
    CorruptedInforom "corrupted_inforom" nvmlReturn_enum_NVML_ERROR_CORRUPTED_INFOROM c"Corrupted infoROM";
    GpuIsLost "gpu_is_lost" nvmlReturn_enum_NVML_ERROR_GPU_IS_LOST c"GPU is lost";
    ResetRequired "reset_required" nvmlReturn_enum_NVML_ERROR_RESET_REQUIRED c"GPU requires reset";
    OperatingSystem "operating_system" nvmlReturn_enum_NVML_ERROR_OPERATING_SYSTEM c"The operating system has blocked the request.";
    LibRmVersionMismatch "lib_rm_version_mismatch" nvmlReturn_enum_NVML_ERROR_LIB_RM_VERSION_MISMATCH c"Driver/library version mismatch";
    InUse "in_use" nvmlReturn_enum_NVML_ERROR_IN_USE c"In use by another client";
    Memory "memory" nvmlReturn_enum_NVML_ERROR_MEMORY c"Insufficient Memory";
    NoData "no_data" nvmlReturn_enum_NVML_ERROR_NO_DATA c"No data";
    VgpuEccNotSupported "vgpu_ecc_not_supported" nvmlReturn_enum_NVML_ERROR_VGPU_ECC_NOT_SUPPORTED c"vGPU ECC not supported";
    InsufficientResources "insufficient_resources" nvmlReturn_enum_NVML_ERROR_INSUFFICIENT_RESOURCES c"Insufficient resources";
    FreqNotSupported "freq_not_supported" nvmlReturn_enum_NVML_ERROR_FREQ_NOT_SUPPORTED c"Frequency not supported";
    ArgumentVersionMismatch "argument_version_mismatch" nvmlReturn_enum_NVML_ERROR_ARGUMENT_VERSION_MISMATCH c"Argument version mismatch";
    Deprecated "deprecated" nvmlReturn_enum_NVML_ERROR_DEPRECATED c"Deprecated";
    NotReady "not_ready" nvmlReturn_enum_NVML_ERROR_NOT_READY c"Not ready";
    GpuNotFound "gpu_not_found" nvmlReturn_enum_NVML_ERROR_GPU_NOT_FOUND c"GPU not found";
    InvalidState "invalid_state" nvmlReturn_enum_NVML_ERROR_INVALID_STATE c"Invalid state";
    Unknown "unknown" nvmlReturn_enum_NVML_ERROR_UNKNOWN c"Unknown Error";
}

impl NvmlCode {
    /// The code of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code of that number.
    pub fn from_raw(raw: nvmlReturn_t) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.raw() == raw)
    }
}
