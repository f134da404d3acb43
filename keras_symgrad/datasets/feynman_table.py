"""Formulas of physics from a published benchmark: names, formulas and intervals, as text.

A line is `name: formula | intervals`. Variables have the order in which the formula names them. An
interval follows the variables that are drawn from it; all others are drawn from 1 to 5. The names
are those of equations in the Feynman lectures, and B1 to B20 those of the bonus set. Formulas of
one variable are left out, because in one dimension all gradients are parallel.

Source: Udrescu and Tegmark, AI Feynman, arXiv 1905.11481, tables 4 to 6.
"""

TABLE = """
I.6.2: exp(-(t/s)**2/2)/(sqrt(2*pi)*s) | t s 1 3
I.6.2b: exp(-((t - t1)/s)**2/2)/(sqrt(2*pi)*s) | t t1 s 1 3
I.8.14: sqrt((x2 - x1)**2 + (y2 - y1)**2)
I.9.18: G*m1*m2/((x2 - x1)**2 + (y2 - y1)**2 + (z2 - z1)**2) | G m1 m2 x2 y2 z2 1 2, x1 y1 z1 3 4
I.10.7: m0/sqrt(1 - v**2/c**2) | v 1 2, c 3 10
I.11.19: x1*y1 + x2*y2 + x3*y3
I.12.1: mu*N
I.12.2: q1*q2*r/(4*pi*e*r**3)
I.12.4: q1*r/(4*pi*e*r**3)
I.12.5: q2*F
I.12.11: q*(F + B*v*sin(t))
I.13.4: 1/2*m*(v**2 + u**2 + w**2)
I.13.12: G*m1*m2*(1/r2 - 1/r1)
I.14.3: m*g*z
I.14.4: 1/2*k*x**2
I.15.3x: (x - u*t)/sqrt(1 - u**2/c**2) | x 5 10, u t 1 2, c 3 20
I.15.3t: (t - u*x/c**2)/sqrt(1 - u**2/c**2) | u 1 2, c 3 10
I.15.1: m0*v/sqrt(1 - v**2/c**2) | v 1 2, c 3 10
I.16.6: (u + v)/(1 + u*v/c**2)
I.18.4: (m1*r1 + m2*r2)/(m1 + m2)
I.18.12: r*F*sin(t) | t 0 5
I.18.14: m*r*v*sin(t)
I.24.6: 1/2*m*(w**2 + w0**2)*1/2*x**2 | m w w0 x 1 3
I.25.13: q/C
I.26.2: asin(n*sin(t2)) | n 0 1
I.27.6: 1/(1/d1 + n/d2)
I.29.4: w/c | w c 1 10
I.29.16: sqrt(x1**2 + x2**2 - 2*x1*x2*cos(t1 - t2))
I.30.3: I0*sin(n*t/2)**2/sin(t/2)**2
I.30.5: asin(l/(n*d)) | l 1 2, d 2 5
I.32.5: q**2*a**2/(6*pi*e*c**3)
I.32.17: (1/2*e*c*F**2)*(8*pi*r**2/3)*(w**4/(w**2 - w0**2)**2) | e c F r w 1 2, w0 3 5
I.34.8: q*v*B/p
I.34.1: w0/(1 - v/c) | v 1 2, c 3 10
I.34.14: (1 + v/c)/sqrt(1 - v**2/c**2)*w0 | v 1 2, c 3 10
I.34.27: (h/(2*pi))*w
I.37.4: I1 + I2 + 2*sqrt(I1*I2)*cos(d)
I.38.12: 4*pi*e*(h/(2*pi))**2/(m*q**2)
I.39.1: 3/2*p*V
I.39.11: 1/(g - 1)*p*V | g 2 5
I.39.22: n*k*T/V
I.40.1: n0*exp(-m*g*x/(k*T))
I.41.16: h/(2*pi)*w**3/(pi**2*c**2*(exp((h/(2*pi))*w/(k*T)) - 1))
I.43.16: u*q*V/d
I.43.31: mob*k*T
I.43.43: 1/(g - 1)*k*v/A | g 2 5
I.44.4: n*k*T*log(V2/V1)
I.47.23: sqrt(g*p/rho)
I.48.2: m*c**2/sqrt(1 - v**2/c**2) | c 3 10, v 1 2
I.50.26: x1*(cos(w*t) + a*cos(w*t)**2) | x1 w t a 1 3
II.2.42: k*(T2 - T1)*A/d
II.3.24: P/(4*pi*r**2)
II.4.23: q/(4*pi*e*r)
II.6.11: 1/(4*pi*e)*p*cos(t)/r**2 | e p t r 1 3
II.6.15a: p/(4*pi*e)*3*z/r**5*sqrt(x**2 + y**2) | p e z r x y 1 3
II.6.15b: p/(4*pi*e)*3*cos(t)*sin(t)/r**3 | p e t r 1 3
II.8.7: 3/5*q**2/(4*pi*e*d)
II.8.31: e*F**2/2
II.10.9: s/e*1/(1 + chi)
II.11.3: q*F/(m*(w0**2 - w**2)) | q F m 1 3, w0 3 5, w 1 2
II.11.17: n0*(1 + p*F*cos(t)/(k*T)) | n0 p F t k T 1 3
II.11.20: n*p**2*F/(3*k*T)
II.11.27: n*a/(1 - (n*a/3))*e*F | n a 0 1, e F 1 2
II.11.28: 1 + n*a/(1 - (n*a/3)) | n a 0 1
II.13.17: 1/(4*pi*e*c**2)*2*I/r
II.13.23: rho/sqrt(1 - v**2/c**2) | v 1 2, c 3 10
II.13.34: rho*v/sqrt(1 - v**2/c**2) | v 1 2, c 3 10
II.15.4: -m*B*cos(t)
II.15.5: -p*F*cos(t)
II.21.32: q/(4*pi*e*r*(1 - v/c)) | v 1 2, c 3 10
II.24.17: sqrt(w**2/c**2 - pi**2/d**2) | w 4 6, c 1 2, d 2 4
II.27.16: e*c*F**2
II.27.18: e*F**2
II.34.2a: q*v/(2*pi*r)
II.34.2: q*v*r/2
II.34.11: g*q*B/(2*m)
II.34.29a: q*h/(4*pi*m)
II.34.29b: g*m*B*J/(h/(2*pi))
II.35.18: n0/(exp(m*B/(k*T)) + exp(-m*B/(k*T))) | n0 m B k T 1 3
II.35.21: n*m*tanh(m*B/(k*T))
II.36.38: m*H/(k*T) + (m*a)/(e*c**2*k*T)*M | m H k T a e c M 1 3
II.37.1: m*(1 + chi)*B
II.38.3: Y*A*x/d
II.38.14: Y/(2*(1 + s))
III.4.32: 1/(exp((h/(2*pi))*w/(k*T)) - 1)
III.4.33: (h/(2*pi))*w/(exp((h/(2*pi))*w/(k*T)) - 1)
III.7.38: 2*m*B/(h/(2*pi))
III.8.54: sin(U*t/(h/(2*pi)))**2 | U t 1 2, h 1 4
III.9.52: (p*F*t/(h/(2*pi)))*sin((w - w0)*t/2)**2/((w - w0)*t/2)**2 | p F t h 1 3
III.10.19: m*sqrt(Bx**2 + By**2 + Bz**2)
III.12.43: n*(h/(2*pi))
III.13.18: 2*U*d**2*k/(h/(2*pi))
III.14.14: I0*(exp(q*V/(k*T)) - 1) | q V k T 1 2
III.15.12: 2*U*(1 - cos(k*d))
III.15.14: (h/(2*pi))**2/(2*U*d**2)
III.15.27: 2*pi*a/(n*d)
III.17.37: b*(1 + a*cos(t))
III.19.51: -m*q**4/(2*(4*pi*e)**2*(h/(2*pi))**2)*(1/n**2)
III.21.20: -rho*q*A/m
B1: (Z1*Z2*a*h*c/(4*U*sin(t/2)**2))**2 | Z1 Z2 a h c 1 2, U t 1 3
B2: m*K/L**2*(1 + sqrt(1 + 2*U*L**2/(m*K**2))*cos(t1 - t2)) | m K L U 1 3, t1 t2 0 6
B3: d*(1 - a**2)/(1 + a*cos(t1 - t2)) | d 1 3, a 2 4, t1 t2 4 5
B4: sqrt(2/m*(En - U - L**2/(2*m*r**2))) | m U L r 1 3, En 8 12
B5: 2*pi*d**(3/2)/sqrt(G*(m1 + m2)) | d G m1 m2 1 3
B6: sqrt(1 + 2*e**2*U*L**2/(m*(Z1*Z2*q**2)**2)) | e U L m Z1 Z2 q 1 3
B7: sqrt(8*pi*G*rho/3 - a*c**2/d**2) | G rho d 1 3, a c 1 2
B8: U/(1 + U/(m*c**2)*(1 - cos(t))) | U m c t 1 3
B9: -32/5*G**4/c**5*(m1*m2)**2*(m1 + m2)/r**5 | G c r 1 2
B10: acos((cos(t2) - v/c)/(1 - v/c*cos(t2))) | t2 v 1 3, c 4 6
B11: I0*(sin(a/2)*sin(n*d/2)/(a/2*sin(d/2)))**2 | I0 a d 1 3, n 1 2
B12: q/(4*pi*e*y**2)*(4*pi*e*V*d - q*d*y**3/(y**2 - d**2)**2) | y 1 3, d 4 6
B13: 1/(4*pi*e)*q/sqrt(r**2 + d**2 - 2*r*d*cos(a)) | r 1 3, d 4 6, a 0 6
B14: F*cos(t)*(-r + d**3/r**2*(a - 1)/(a + 2)) | t 0 6
B15: sqrt(1 - v**2/c**2)*w/(1 + v/c*cos(t)) | v 1 3, c 5 20, t 0 6
B16: sqrt((p - q*A)**2*c**2 + m**2*c**4) + q*V
B17: 1/(2*m)*(p**2 + m**2*w**2*x**2*(1 + a*x/y))
B18: 3/(8*pi*G)*(c**2*f/r**2 + H**2)
B19: -1/(8*pi*G)*(c**4*f/r**2 + H**2*c**2*(1 - 2*a))
B20: 1/(4*pi)*a**2*h**2/(m**2*c**2)*(w0/w)**2*(w0/w + w/w0 - sin(b)**2) | b 0 6
"""
