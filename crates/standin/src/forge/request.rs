//! The body of txt2img and img2img: fields, defaults, and pydantic's way to refuse.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::Build;
use crate::reply;

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Whole,
    Number,
    Flag,
    List,
    Object,
}

use Kind::{Flag, List, Number, Object, Text, Whole};

/// Name, kind, nullable, default as JSON text.
const FIELDS: &[(&str, Kind, bool, &str)] = &[
    ("prompt", Text, true, "\"\""),
    ("negative_prompt", Text, true, "\"\""),
    ("styles", List, true, "null"),
    ("seed", Whole, true, "-1"),
    ("subseed", Whole, true, "-1"),
    ("subseed_strength", Number, true, "0"),
    ("seed_resize_from_h", Whole, true, "-1"),
    ("seed_resize_from_w", Whole, true, "-1"),
    ("sampler_name", Text, true, "null"),
    ("scheduler", Text, true, "null"),
    ("batch_size", Whole, true, "1"),
    ("n_iter", Whole, true, "1"),
    ("steps", Whole, true, "50"),
    ("cfg_scale", Number, true, "7.0"),
    ("distilled_cfg_scale", Number, true, "3.5"),
    ("width", Whole, true, "512"),
    ("height", Whole, true, "512"),
    ("restore_faces", Flag, true, "null"),
    ("tiling", Flag, true, "null"),
    ("do_not_save_samples", Flag, true, "false"),
    ("do_not_save_grid", Flag, true, "false"),
    ("eta", Number, true, "null"),
    ("denoising_strength", Number, true, "null"),
    ("s_min_uncond", Number, true, "null"),
    ("s_churn", Number, true, "null"),
    ("s_tmax", Number, true, "null"),
    ("s_tmin", Number, true, "null"),
    ("s_noise", Number, true, "null"),
    ("override_settings", Object, true, "null"),
    ("override_settings_restore_afterwards", Flag, true, "true"),
    ("refiner_checkpoint", Text, true, "null"),
    ("refiner_switch_at", Number, true, "null"),
    ("disable_extra_networks", Flag, true, "false"),
    ("firstpass_image", Text, true, "null"),
    ("comments", Object, true, "null"),
    ("enable_hr", Flag, true, "false"),
    ("firstphase_width", Whole, true, "0"),
    ("firstphase_height", Whole, true, "0"),
    ("hr_scale", Number, true, "2.0"),
    ("hr_upscaler", Text, true, "null"),
    ("hr_second_pass_steps", Whole, true, "0"),
    ("hr_resize_x", Whole, true, "0"),
    ("hr_resize_y", Whole, true, "0"),
    ("hr_checkpoint_name", Text, true, "null"),
    ("hr_sampler_name", Text, true, "null"),
    ("hr_scheduler", Text, true, "null"),
    ("hr_prompt", Text, true, "\"\""),
    ("hr_negative_prompt", Text, true, "\"\""),
    ("hr_cfg", Number, true, "1.0"),
    ("hr_distilled_cfg", Number, true, "3.5"),
    ("force_task_id", Text, true, "null"),
    ("sampler_index", Text, false, "\"Euler\""),
    ("script_name", Text, true, "null"),
    ("script_args", List, false, "[]"),
    ("send_images", Flag, false, "true"),
    ("save_images", Flag, false, "false"),
    ("alwayson_scripts", Object, false, "{}"),
    ("infotext", Text, true, "null"),
];

/// What only the newer commit takes.
const HEAD: &[(&str, Kind, bool, &str)] = &[("hr_additional_modules", List, true, "null")];

const IMG2IMG: &[(&str, Kind, bool, &str)] = &[
    ("init_images", List, true, "null"),
    ("resize_mode", Whole, false, "0"),
    ("image_cfg_scale", Number, true, "null"),
    ("mask", Text, true, "null"),
    ("mask_blur", Whole, true, "null"),
    ("inpainting_fill", Whole, true, "0"),
    ("inpaint_full_res", Flag, true, "true"),
    ("inpaint_full_res_padding", Whole, true, "0"),
    ("inpainting_mask_invert", Whole, true, "0"),
    ("initial_noise_multiplier", Number, true, "null"),
    ("include_init_images", Flag, false, "false"),
];

fn refusal(kind: &str, field: Option<&str>, text: &str, input: &Value) -> Value {
    let mut loc = vec![json!("body")];
    loc.extend(field.map(Value::from));
    json!({"type": kind, "loc": loc, "msg": text, "input": input,
           "url": format!("https://errors.pydantic.dev/2.8/v/{kind}")})
}

/// A 422 answer of FastAPI.
pub(super) fn unprocessable(errors: Vec<Value>) -> Response {
    reply::json(422, &json!({ "detail": errors }))
}

/// Reads a JSON body; the error is the answer to send.
pub(super) fn body(kind: Option<&str>, bytes: &[u8]) -> Result<Map<String, Value>, Box<Response>> {
    if bytes.is_empty() {
        let error = json!({"type": "missing", "loc": ["body"], "msg": "Field required", "input": null,
                           "url": "https://errors.pydantic.dev/2.8/v/missing"});
        return Err(Box::new(unprocessable(vec![error])));
    }
    let wrong = |input: &Value| {
        let text = "Input should be a valid dictionary or object to extract fields from";
        Box::new(unprocessable(vec![refusal(
            "model_attributes_type",
            None,
            text,
            input,
        )]))
    };
    if kind.is_some_and(|k| !k.contains("json")) {
        return Err(wrong(&String::from_utf8_lossy(bytes).into()));
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(wrong(&other)),
        Err(error) => Err(Box::new(unprocessable(vec![json!({
            "type": "json_invalid", "loc": ["body", error.column()], "msg": "JSON decode error",
            "input": {}, "ctx": {"error": "Expecting value"}
        })]))),
    }
}

/// The request with every default filled in, or the 422 answer.
pub(super) fn filled(
    given: &Map<String, Value>,
    img2img: bool,
    build: Build,
) -> Result<Map<String, Value>, Box<Response>> {
    let mut out = Map::new();
    let mut errors = Vec::new();
    let extra = if img2img { IMG2IMG } else { &[] };
    let new = if build == Build::Head { HEAD } else { &[] };
    for (name, kind, nullable, default) in FIELDS.iter().chain(extra).chain(new) {
        let mut value = serde_json::from_str(default).unwrap_or(Value::Null);
        if img2img && *name == "denoising_strength" {
            value = json!(0.75);
        }
        if let Some(got) = given.get(*name) {
            match coerced(*kind, got) {
                _ if got.is_null() && *nullable => value = Value::Null,
                Ok(good) => value = good,
                Err((code, text)) => errors.push(refusal(code, Some(name), text, got)),
            }
        }
        out.insert((*name).to_owned(), value);
    }
    if errors.is_empty() {
        Ok(out)
    } else {
        Err(Box::new(unprocessable(errors)))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "checked to be a whole number before"
)]
fn coerced(kind: Kind, got: &Value) -> Result<Value, (&'static str, &'static str)> {
    let good = |fits: bool, code, text| {
        if fits {
            Ok(got.clone())
        } else {
            Err((code, text))
        }
    };
    match kind {
        Text => good(
            got.is_string(),
            "string_type",
            "Input should be a valid string",
        ),
        List => good(got.is_array(), "list_type", "Input should be a valid list"),
        Object => good(
            got.is_object(),
            "dict_type",
            "Input should be a valid dictionary",
        ),
        Flag => match got {
            Value::Bool(_) => Ok(got.clone()),
            Value::String(s) if s == "true" || s == "1" => Ok(true.into()),
            Value::String(s) if s == "false" || s == "0" => Ok(false.into()),
            _ => Err((
                "bool_parsing",
                "Input should be a valid boolean, unable to interpret input",
            )),
        },
        Whole => match got {
            Value::Number(n) if n.is_i64() || n.is_u64() => Ok(got.clone()),
            Value::Number(n) => match n.as_f64() {
                Some(f) if f.fract() == 0.0 && f.abs() < 9e15 => Ok((f as i64).into()),
                // What does not fit 64 bits is an integer for Python and overflows later.
                Some(f) if f.fract() == 0.0 => Ok(got.clone()),
                _ => Err((
                    "int_from_float",
                    "Input should be a valid integer, got a number with a fractional part",
                )),
            },
            Value::String(s) => s.trim().parse::<i64>().map(Value::from).map_err(|_| {
                (
                    "int_parsing",
                    "Input should be a valid integer, unable to parse string as an integer",
                )
            }),
            _ => Err(("int_type", "Input should be a valid integer")),
        },
        Number => match got {
            Value::Number(_) => Ok(got.clone()),
            Value::String(s) => s.trim().parse::<f64>().map(Value::from).map_err(|_| {
                (
                    "float_parsing",
                    "Input should be a valid number, unable to parse string as a number",
                )
            }),
            _ => Err(("float_type", "Input should be a valid number")),
        },
    }
}
