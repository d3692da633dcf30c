"""Light characters as charts, lists of lights and databases write them, and what they mean.

`GOOD` has (text, kind, period_ms, flashes): flashes are the lights in one period, which for an
occulting light are as many as its eclipses; a light that is never dark has neither. `REFUSED` has
texts that no light can have, or that leave open what it does.
"""

from agent.sense.character import (
    ALTERNATING,
    FIXED,
    FLASHING,
    ISO,
    LONG,
    MORSE,
    OCCULTING,
    QUICK,
    ULTRA_QUICK,
    VERY_QUICK,
)

# fmt: off
GOOD = (
    # Never dark.
    ("F R", FIXED, 0, 0),
    ("F.G.", FIXED, 0, 0),
    ("F W 12m 8M", FIXED, 0, 0),
    ("Dir F WRG 12-9M", FIXED, 0, 0),
    ("FFl W 10s", FIXED, 0, 0),
    ("F.Fl.W.15s", FIXED, 0, 0),
    ("Alt R.W.G", ALTERNATING, 0, 0),
    ("Al WR 10s", ALTERNATING, 0, 0),
    # Flashing. The third was read as 25 s by a parser that drops every dot.
    ("Fl 5s", FLASHING, 5000, 1),
    ("Fl.G.4s", FLASHING, 4000, 1),
    ("Fl R 2.5s", FLASHING, 2500, 1),
    ("Fl.2.5s", FLASHING, 2500, 1),
    ("Fl R 4s 8m 5M", FLASHING, 4000, 1),
    ("Fl Y 3s", FLASHING, 3000, 1),
    ("Fl WRG 5s 14-11M", FLASHING, 5000, 1),
    ("Fl 15s 45m 21M", FLASHING, 15000, 1),
    ("Fl(2) 20m 10s 12M", FLASHING, 10000, 2),
    ("Fl(2) R 6s", FLASHING, 6000, 2),
    ("Fl(2) W 5s", FLASHING, 5000, 2),
    ("Gp.Fl(2)W.10s", FLASHING, 10000, 2),
    ("Dir Fl(2) WRG 12s", FLASHING, 12000, 2),
    ("Fl(3) G 10s", FLASHING, 10000, 3),
    ("Gp Fl (3) W 20s 35m 18M", FLASHING, 20000, 3),
    ("Fl(4)Y 12s", FLASHING, 12000, 4),
    ("Fl(4) 15s", FLASHING, 15000, 4),
    ("Fl(5) Y 20s", FLASHING, 20000, 5),
    ("Fl(2+1)R 10s", FLASHING, 10000, 3),
    ("Fl(2+1) G 15s", FLASHING, 15000, 3),
    ("Gp.Fl.(3+1) 20s", FLASHING, 20000, 4),
    ("Fl+LFl 10s", FLASHING, 10000, 2),
    ("Fl(3)+LFl W 20s", FLASHING, 20000, 4),
    # Long flashes.
    ("LFl 10s", LONG, 10000, 1),
    ("L.Fl.W.10s", LONG, 10000, 1),
    ("LFl G 6s", LONG, 6000, 1),
    ("LFl(2) 15s", LONG, 15000, 2),
    ("Gp.L.Fl(2+1)G. 25s", LONG, 25000, 3),
    # Quick, very quick, ultra quick, and interrupted.
    ("Q", QUICK, 1000, 1),
    ("Q.G.", QUICK, 1000, 1),
    ("Qk.Fl.R.", QUICK, 1000, 1),
    ("Q Y 1.2s", QUICK, 1200, 1),
    ("Q(3) 10s", QUICK, 10000, 3),
    ("Q(6)+LFl 15s", QUICK, 15000, 7),
    ("Qk.Fl.(6)+L.Fl.15s", QUICK, 15000, 7),
    ("Q(9) 15s", QUICK, 15000, 9),
    ("Gp Qk Fl(9) 15s", QUICK, 15000, 9),
    ("VQ", VERY_QUICK, 500, 1),
    ("V.Qk.Fl.", VERY_QUICK, 500, 1),
    ("VQ G 0.6s", VERY_QUICK, 600, 1),
    ("VQ(3) 5s", VERY_QUICK, 5000, 3),
    ("VQ(6)+LFl 10s", VERY_QUICK, 10000, 7),
    ("V.Qk.Fl(9) 10s", VERY_QUICK, 10000, 9),
    ("UQ", ULTRA_QUICK, 250, 1),
    ("UQ R", ULTRA_QUICK, 250, 1),
    ("IQ 10s", QUICK, 10000, 7),
    ("Int.Qk.Fl.G.12s", QUICK, 12000, 9),
    ("IVQ 10s", VERY_QUICK, 10000, 14),
    ("IUQ 10s", ULTRA_QUICK, 10000, 28),
    # Isophase and occulting.
    ("Iso 4s", ISO, 4000, 1),
    ("Iso R 2s", ISO, 2000, 1),
    ("Iso.W.10s", ISO, 10000, 1),
    ("Iso Y 6s 12m 9M", ISO, 6000, 1),
    ("Oc 6s", OCCULTING, 6000, 1),
    ("Occ.R.5s", OCCULTING, 5000, 1),
    ("Oc(2) 8s", OCCULTING, 8000, 2),
    ("Gp.Occ.(2)WRG.10s", OCCULTING, 10000, 2),
    ("Gp Oc(3) W 10s 15m 10M", OCCULTING, 10000, 3),
    ("Oc(2+1) 15s", OCCULTING, 15000, 3),
    # Morse; the yellow ones of 12 s are China's special marks.
    ("Mo(A) 8s", MORSE, 8000, 2),
    ("Mo(A) W 10s", MORSE, 10000, 2),
    ("Mo(U) 15s", MORSE, 15000, 3),
    ("Mo(D) R 10s", MORSE, 10000, 3),
    ("Mo(Q) Y 12s", MORSE, 12000, 4),
    ("Mo(P) Y 12s", MORSE, 12000, 4),
    ("Mo(O) Y 12s", MORSE, 12000, 3),
    ("Mo(K) Y 12s", MORSE, 12000, 3),
    ("Mo(C) Y 12s", MORSE, 12000, 4),
    ("Mo(Y) Y 12s", MORSE, 12000, 4),
    ("Mo(NK) W 20s", MORSE, 20000, 5),
    # Alternating with darkness between; the first five are the emergency wreck mark's.
    ("Al.Bu.Y 3s", ALTERNATING, 3000, 2),
    ("Al.Fl.Bu.Y 3s", ALTERNATING, 3000, 2),
    ("Al.Bl.Y. 3s", ALTERNATING, 3000, 2),
    ("Al.Bu.Y 3s (1.0+0.5+1.0+0.5)", ALTERNATING, 3000, 2),
    ("Al.Bu.Y 3s (1.0 Bu+0.5+1.0 Y+0.5)", ALTERNATING, 3000, 2),
    ("Al Fl WR 10s", ALTERNATING, 10000, 2),
    ("Al.Oc.RG 10s", ALTERNATING, 10000, 2),
    # With their lengths: behind the character, as S-57's SIGSEQ, as OpenStreetMap's sequence.
    ("Fl(2) R 6s (0.3+0.7+0.3+4.7)", FLASHING, 6000, 2),
    ("LFl 10s (3+7)", LONG, 10000, 1),
    ("0.5+(1),0.5+(4)", FLASHING, 6000, 2),
    ("0.5+(1),0.5+(6.5)", FLASHING, 8500, 2),
    ("00.8+(02.2),00.8+(05.2)", FLASHING, 9000, 2),
    ("(1)+5", OCCULTING, 6000, 1),
    ("3+(2)", OCCULTING, 5000, 1),
    ("2+(2)", ISO, 4000, 1),
    ("2.5+(7.5)", LONG, 10000, 1),
)

REFUSED = (
    "", " ", "s", "5s", "W", "Flash", "Flicker 4s", "X 4s", "Fl X 4s", "Fl Rd 4s", "Fl(2", "Fl()",
    "Fl(0) 5s", "Fl(2+) 5s", "Fl(+2) 5s", "Fl(A) 5s", "Fl(2)(2) 5s", "Mo 8s", "Mo() 8s", "Mo(2) 8s",
    "Mo(É) 8s", "Iso(2) 4s", "F(2) R", "IQ(3) 10s",
    # No period, two of them, none that a light has.
    "Fl", "Fl R", "Mo(U)", "Oc(2)", "IQ", "Q(3)", "Fl 5", "Fl 5s 6s", "Fl 0s", "Fl 2..5s",
    "Fl 2.5.1s", "Fl .5s", "Fl 2 5s", "Fl -5s", "Fl 61s", "Fl 1e1s", "Fl 5x",
    # Too little room. The first is printed as a parser's test: three flashes of 2 s are 6 s.
    "Gp.L.Fl(2+1)G. 5s", "LFl 4s", "Fl(9) 2s", "Q(9) 9s", "Q(3) 3s", "Q(6)+LFl 8s", "VQ(9) 4s",
    "Fl(40) 60s", "IUQ 60s", "Iso 0.1s", "Mo(QQQQQQQQQ) 12s", "Fl+LFl 5s",
    # Not the rate that its name says.
    "Q 5s", "Q 0.5s", "Q 0.7s", "Q 1.3s", "VQ 1s", "UQ 1s", "Q(1) 10s",
    # Lengths that do not agree.
    "Fl(2) R 6s (0.3+0.7+0.3+4.6)", "Fl(2) R 6s (0.3+5.7)", "Fl R 6s (0.3)", "F R (1+2)",
    "Fl R 6s (0.3+5.7) 2", "Fl R 6s ()", "Fl R 6s (0.3+5.7",
    # Sequences.
    "0.5+(0)", "0+(5)", "0.5", "(5)", "0.5+1", "(0.5)+(1)", "1+(2)+3", "(1)+2+(3)", "0.5+(1),",
    "0.5+(1", "0.5+(1)),", "0.5+(x)", "70+(1)", "30+(40)", "0.5+(1)0.5+(4)", "1.5.5+(2)",
)
# fmt: on
