"""Who gets past the door of the live view, and who does not."""

import pytest
from tests.supervisor.view.view_stage import HERE, TOKEN, Visitor

from greenroom.supervisor.view.gate import FORM_BYTES_MAX
from greenroom.supervisor.view.sign_ins import GUESSES_MAX, GUESSES_S

PAGES = ["/", "/here", "/nothing-of-the-kind"]


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_sign_in_a_browser_is_led_to_the_token_and_back(visitor: Visitor, path: str) -> None:
    away = await visitor.browser.get(path, headers={"accept": "text/html"})
    assert (away.status_code, away.headers["location"]) == (303, f"/sign-in?to={path}")
    assert f'name="to" value="{path}"' in await visitor.see(away.headers["location"])
    back = await visitor.sign_in(to=path)
    assert (back.status_code, back.headers["location"]) == (303, path)


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_sign_in_a_program_is_told_what_to_send(visitor: Visitor, path: str) -> None:
    told = await visitor.browser.get(path)
    assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_wrong_token_is_told_and_signs_nobody_in(visitor: Visitor) -> None:
    wrong = await visitor.sign_in("not-the-token-of-these-tests")
    assert wrong.status_code == 401
    assert "This is not the token." in wrong.text
    assert "set-cookie" not in wrong.headers
    assert "not-the-token" not in wrong.text
    assert (await visitor.browser.get("/here")).status_code == 401


async def test_the_cookie_is_for_no_script_and_no_other_site(visitor: Visitor) -> None:
    signed_in = await visitor.sign_in()
    cookie = signed_in.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    assert TOKEN not in cookie
    await visitor.see("/here")


async def test_behind_a_proxy_that_speaks_tls_the_cookie_never_goes_without(visitor: Visitor) -> None:
    headers = {"origin": HERE.replace("http:", "https:")}
    signed_in = await visitor.browser.post("/sign-in", data={"token": TOKEN}, headers=headers)
    assert "secure" in signed_in.headers["set-cookie"].lower()


async def test_guesses_have_to_wait(visitor: Visitor) -> None:
    for _ in range(GUESSES_MAX):
        assert (await visitor.sign_in("a-guess")).status_code == 401
    late = await visitor.sign_in()
    assert late.status_code == 429
    assert int(late.headers["retry-after"]) > 0
    assert (await visitor.browser.get("/here", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 429
    visitor.clock[0] += GUESSES_S
    assert (await visitor.sign_in()).status_code == 303


async def test_after_signing_out_the_cookie_is_worth_nothing(visitor: Visitor) -> None:
    await visitor.sign_in()
    kept = dict(visitor.browser.cookies)
    out = await visitor.browser.post("/sign-out", data={"proof": visitor.proof})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    visitor.browser.cookies.update(kept)
    assert (await visitor.browser.get("/here")).status_code == 401


@pytest.mark.parametrize("form", [{}, {"proof": ""}, {"proof": "made up"}, {"proof": "ü"}])
async def test_a_form_without_the_proof_of_its_sign_in_does_nothing(visitor: Visitor, form: dict[str, str]) -> None:
    await visitor.sign_in()
    assert (await visitor.browser.post("/sign-out", data=form)).status_code in {403, 415}
    await visitor.see("/here")


async def test_the_proof_of_another_sign_in_does_nothing(visitor: Visitor) -> None:
    await visitor.sign_in()
    others = visitor.proof
    visitor.browser.cookies.clear()
    await visitor.sign_in()
    assert (await visitor.browser.post("/sign-out", data={"proof": others})).status_code == 403
    await visitor.see("/here")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://127.0.0.1:8765"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_page_of_another_site_gives_no_orders_and_signs_nobody_in(
    visitor: Visitor, headers: dict[str, str]
) -> None:
    await visitor.sign_in()
    proof = visitor.proof
    for path, form in (("/sign-out", {"proof": proof}), ("/sign-in", {"token": TOKEN})):
        assert (await visitor.browser.post(path, data=form, headers=headers)).status_code == 403
    await visitor.see("/here")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8764", "", "10.1.2.3"])
@pytest.mark.parametrize("path", ["/", "/here", "/sign-in", "/readyz", "/assets/view.css"])
async def test_nothing_is_served_under_a_foreign_name(visitor: Visitor, host: str, path: str) -> None:
    await visitor.sign_in()
    assert (await visitor.browser.get(path, headers={"host": host})).status_code == 421


@pytest.mark.parametrize("host", ["localhost/livez?", "localhost/sign-in#", "localhost/assets/x?"])
async def test_a_name_with_a_path_in_it_opens_nothing(visitor: Visitor, host: str) -> None:
    assert (await visitor.browser.get("/here", headers={"host": host})).status_code in {401, 421}


async def test_a_program_reads_with_the_token_and_gives_no_orders_with_it(visitor: Visitor) -> None:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert (await visitor.browser.get("/here", headers=bearer)).status_code == 200
    wrong = await visitor.browser.get("/here", headers={"authorization": f"Bearer {TOKEN}x"})
    assert wrong.status_code == 401
    ordered = await visitor.browser.post("/sign-out", data={"proof": ""}, headers=bearer)
    assert ordered.status_code == 401


async def test_a_form_that_is_too_large_or_none_is_refused(visitor: Visitor) -> None:
    large = await visitor.browser.post("/sign-in", data={"token": "x" * FORM_BYTES_MAX})
    assert large.status_code == 413
    assert (await visitor.browser.post("/sign-in", json={"token": TOKEN})).status_code == 415
    broken = {"content-type": "application/x-www-form-urlencoded"}
    assert (await visitor.browser.post("/sign-in", content=b"token=\xff", headers=broken)).status_code == 400
    many = "&".join(f"a{n}=1" for n in range(100))
    assert (await visitor.browser.post("/sign-in", content=many, headers=broken)).status_code == 400


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb: c", ""])
async def test_signing_in_leads_nowhere_else(visitor: Visitor, to: str) -> None:
    assert (await visitor.sign_in(to=to)).headers["location"] == "/"


async def test_what_a_link_brings_along_stays_text(visitor: Visitor) -> None:
    page = await visitor.see('/sign-in?to=/"><script>alert(1)</script>')
    assert "<script>alert" not in page


@pytest.mark.parametrize("path", ["/", "/here", "/sign-in", "/livez", "/assets/htmx.min.js", "/nothing"])
async def test_every_answer_forbids_foreign_scripts_frames_and_sites(visitor: Visitor, path: str) -> None:
    answer = await visitor.browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == ("nosniff", "same-origin")


async def test_the_assets_are_ours_and_nothing_beside_them(visitor: Visitor) -> None:
    for name in ("pico.min.css", "view.css", "htmx.min.js", "icon.svg", "htmx-LICENSE.txt", "pico-LICENSE.txt"):
        assert (await visitor.browser.get(f"/assets/{name}")).status_code == 200
    for name in ("../app.py", "%2e%2e/app.py", "nothing.css", ""):
        assert (await visitor.browser.get(f"/assets/{name}")).status_code in {401, 404}


async def test_pages_ask_for_nothing_of_other_sites(visitor: Visitor) -> None:
    page = await visitor.see("/sign-in")
    assert "http://" not in page
    assert "https://" not in page
    assert "style=" not in page
    assert "<script>" not in page


async def test_who_watches_over_processes_needs_no_token(visitor: Visitor) -> None:
    assert (await visitor.browser.get("/livez")).text == "alive\n"
    assert (await visitor.browser.get("/readyz")).status_code == 200
    visitor.problem.append("the disk is full")
    answer = await visitor.browser.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "the disk is full\n")
